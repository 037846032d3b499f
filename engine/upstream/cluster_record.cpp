#include "upstream/cluster_record.hpp"

#include <algorithm>

#include "algo/hash.hpp"
#include "base/expect.hpp"
#include "base/log.hpp"

namespace perilune::upstream {

using algo::Health;

EndpointRecord::EndpointRecord(const EndpointSpec& spec, uint64_t its_serial, unsigned workers)
    : address(spec.address),
      name(spec.address.to_string()),
      identity(algo::hash(name)),
      serial(its_serial),
      weight(spec.weight),
      priority(spec.priority),
      workers_(workers),
      counts_(std::make_unique<std::atomic<EndpointCounts*>[]>(workers)) {}

EndpointRecord::~EndpointRecord() {
  for (unsigned worker = 0; worker < workers_; ++worker) delete counts_[worker].load();
}

EndpointCounts& EndpointRecord::make_counts(unsigned worker) {
  auto* made = new EndpointCounts();
  counts_[worker].store(made, std::memory_order_release);
  return *made;
}

void ClusterRecord::configure(const ClusterOptions& options, unsigned worker, Instant now) {
  const std::lock_guard lock(mutex_);
  if (++configured_[worker] <= versions_) return;
  const bool is_first = versions_ == 0;
  versions_ = configured_[worker];
  ejection_ = options.ejection;
  if (is_first && options.discovery) awaits_discovery_ = true;
  limits.set_max(options.connections_max, options.connections_per_endpoint_max);
  if (!options.discovery) replace_members(options.endpoints, SIZE_MAX, now);
}

EndpointRef ClusterRecord::find(const net::Address& address) const {
  const auto found =
      std::ranges::find_if(members_, [&](const EndpointRef& each) { return each->address == address; });
  return found == members_.end() ? nullptr : *found;
}

void ClusterRecord::set_members(std::span<const EndpointSpec> specs, Instant now) {
  change_members(specs, SIZE_MAX, now);
}

bool ClusterRecord::change_members(std::span<const EndpointSpec> specs, size_t removals_max, Instant now) {
  const std::lock_guard lock(mutex_);
  return replace_members(specs, removals_max, now);
}

bool ClusterRecord::replace_members(std::span<const EndpointSpec> specs, size_t removals_max, Instant now) {
  Members members;
  bool is_changed = false;
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  for (const EndpointSpec& spec : specs) {
    EndpointRef record = find(spec.address);
    if (record) {
      is_changed = is_changed || record->weight != spec.weight || record->priority != spec.priority;
      record->weight = spec.weight;
      record->priority = spec.priority;
    } else {
      record = std::make_shared<EndpointRecord>(spec, ++serials_, workers_);
      record->joined = nanoseconds;
      is_changed = true;
    }
    if (std::ranges::find(members, record) == members.end()) members.push_back(std::move(record));
  }
  bool has_more = false;
  for (const EndpointRef& old : members_) {
    if (std::ranges::find(members, old) != members.end()) continue;
    if (removals_max == 0) {
      members.push_back(old);
      has_more = true;
      continue;
    }
    --removals_max;
    old->is_removed = true;
    is_changed = true;
  }
  is_changed = is_changed || members != members_;
  members_ = std::move(members);
  if (is_changed) note_change();
  return has_more;
}

void ClusterRecord::note_discovered() {
  awaits_discovery_ = false;
  const std::lock_guard lock(mutex_);
  note_change();
}

ClusterRecord::Members ClusterRecord::members() const {
  const std::lock_guard lock(mutex_);
  return members_;
}

void ClusterRecord::set_health(EndpointRecord& endpoint, Health health, Instant now) {
  if (endpoint.health.exchange(health) == health) return;
  const std::lock_guard lock(mutex_);
  if (health == Health::Healthy) {
    endpoint.joined = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
    // Whoever answers its checks is let back in at once.
    if (endpoint.is_ejected.exchange(false)) algo::restore(endpoint.outlier, now);
  }
  note_change();
}

void ClusterRecord::report(EndpointRecord& endpoint, algo::Outcome outcome, Instant now) {
  // The common case writes nothing that others read: nothing failed, and nothing had.
  if (outcome == algo::Outcome::Success && !endpoint.has_failures.load(std::memory_order_relaxed) &&
      !counts_rates_.load(std::memory_order_relaxed))
    return;
  const std::lock_guard lock(mutex_);
  if (!ejection_) return;
  const auto reason = algo::observe(endpoint.outlier, outcome, *ejection_);
  const algo::OutlierState& state = endpoint.outlier;
  endpoint.has_failures = state.failures_5xx + state.failures_gateway + state.failures_local > 0;
  if (reason && !endpoint.is_ejected) eject(endpoint, now);
}

void ClusterRecord::eject(EndpointRecord& endpoint, Instant now) {
  algo::OutlierCluster cluster{static_cast<uint32_t>(members_.size()), 0};
  for (const EndpointRef& member : members_) cluster.ejected += member->is_ejected ? 1 : 0;
  if (!algo::may_eject(cluster, *ejection_)) return;
  const Instant until = algo::eject(endpoint.outlier, *ejection_, now);
  endpoint.is_ejected = true;
  endpoint.has_failures = false;
  ejections_.fetch_add(1, std::memory_order_relaxed);
  log::warn("upstream " + name + ": " + endpoint.name + " failed too often and is left out for " +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(until - now).count()) + " s");
  note_change();
}

Instant ClusterRecord::next_look(Instant now) const {
  Instant next = Instant::max();
  for (const EndpointRef& member : members_)
    if (member->is_ejected) next = std::min(next, member->outlier.ejected_until);
  if (ejection_ && ejection_->has_success_rate) next = std::min(next, std::max(interval_end_, now));
  return next;
}

Instant ClusterRecord::watch_outliers(Instant now) {
  const std::lock_guard lock(mutex_);
  if (!ejection_) return Instant::max();
  bool is_changed = false;
  for (const EndpointRef& member : members_) {
    if (!member->is_ejected || member->outlier.ejected_until > now) continue;
    algo::restore(member->outlier, now);
    member->is_ejected = false;
    is_changed = true;
  }
  counts_rates_ = ejection_->has_success_rate;
  if (ejection_->has_success_rate && now >= interval_end_) {
    algo::SuccessRates rates(*ejection_);
    for (const EndpointRef& member : members_) rates.add(member->outlier);
    for (const EndpointRef& member : members_) {
      if (!member->is_ejected && rates.is_outlier(member->outlier)) eject(*member, now);
      algo::begin_interval(member->outlier);
    }
    interval_end_ = now + ejection_->interval;
  }
  if (is_changed) note_change();
  return next_look(now);
}

void ClusterRecord::attach(Watcher& watcher) {
  const std::lock_guard lock(mutex_);
  watchers_.push_back(&watcher);
}

void ClusterRecord::detach(Watcher& watcher) {
  const std::lock_guard lock(mutex_);
  std::erase(watchers_, &watcher);
}

void ClusterRecord::renew_connections(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  for (Watcher* watcher : watchers_) watcher->post_drain(endpoint);
}

void ClusterRecord::note_change() {
  version_.fetch_add(1, std::memory_order_release);
  for (Watcher* watcher : watchers_) watcher->post_changed();
}

std::shared_ptr<ClusterRecord> ClusterBoard::record(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(records_, [&](const auto& each) { return each->name == name; });
  if (found != records_.end()) return *found;
  records_.push_back(std::make_shared<ClusterRecord>(name, workers_));
  return records_.back();
}

std::vector<std::shared_ptr<ClusterRecord>> ClusterBoard::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ClusterRecord>> result;
  std::ranges::copy_if(records_, std::back_inserter(result),
                       [](const auto& each) { return each->is_configured(); });
  return result;
}

}  // namespace perilune::upstream
