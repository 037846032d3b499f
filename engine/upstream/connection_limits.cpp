#include "upstream/connection_limits.hpp"

#include <algorithm>

namespace perilune::upstream {
namespace {

int64_t number_of(Instant when) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
}

Instant instant_of(int64_t number) {
  return number == INT64_MAX ? Instant::max() : Instant(std::chrono::nanoseconds(number));
}

}  // namespace

void ConnectionLimits::set_max(uint32_t total, uint32_t per_endpoint) {
  const std::lock_guard lock(mutex_);
  total_max_ = total;
  endpoint_max_ = per_endpoint;
  pass_on();
}

void ConnectionLimits::attach(Member& member) {
  const std::lock_guard lock(mutex_);
  members_.push_back(&member);
}

void ConnectionLimits::detach(Member& member) {
  const std::lock_guard lock(mutex_);
  std::erase(members_, &member);
  wants_.remove_if([&](const Want& want) {
    if (want.member != &member) return false;
    want.endpoint->wanted_since = INT64_MAX;
    return true;
  });
  publish();
}

ConnectionLimits::Answer ConnectionLimits::ask(const EndpointRecord& endpoint) const {
  if (endpoint.connections >= endpoint_max_) return Answer::EndpointFull;
  return used_ >= total_max_ ? Answer::TotalFull : Answer::Taken;
}

ConnectionLimits::Answer ConnectionLimits::take(EndpointRecord& endpoint) {
  const std::lock_guard lock(mutex_);
  const Answer answer = ask(endpoint);
  if (answer == Answer::Taken) ++endpoint.connections, ++used_;
  return answer;
}

void ConnectionLimits::take_beyond(EndpointRecord& endpoint) {
  const std::lock_guard lock(mutex_);
  ++endpoint.connections, ++used_;
}

void ConnectionLimits::give_back(EndpointRecord& endpoint) {
  const std::lock_guard lock(mutex_);
  --endpoint.connections, --used_;
  pass_on();
}

void ConnectionLimits::want(Member& member, const EndpointRef& endpoint, const std::string& key,
                            Instant since) {
  const std::lock_guard lock(mutex_);
  const auto mine = std::ranges::find_if(
      wants_, [&](const Want& want) { return want.member == &member && want.key == key; });
  if (mine != wants_.end()) {
    mine->endpoint->wanted_since = INT64_MAX;
    wants_.erase(mine);
  }
  Answer answer = Answer::Taken;
  if (since != Instant::max()) {
    const auto later = std::ranges::find_if(wants_, [&](const Want& want) { return want.since > since; });
    wants_.insert(later, Want{&member, endpoint, key, since});
    answer = ask(*endpoint);
  }
  // A token may have come back since it was asked for. And who is asked below looks at what this publishes.
  pass_on();
  // What lies idle in another worker should not keep this one waiting.
  // Of this worker's own, a pool gives up any by itself, but knows no endpoints: one tag may keep another
  // waiting.
  for (Member* each : members_) {
    if (answer == Answer::EndpointFull) each->post_reclaim(endpoint);
    else if (answer == Answer::TotalFull && each != &member) each->post_reclaim(nullptr);
  }
}

/// Free tokens go to wants, the eldest first; one whose endpoint is full does not keep the others waiting.
void ConnectionLimits::pass_on() {
  for (auto want = wants_.begin(); want != wants_.end() && used_ < total_max_;) {
    if (ask(*want->endpoint) != Answer::Taken) {
      ++want;
      continue;
    }
    ++want->endpoint->connections, ++used_;
    want->endpoint->wanted_since = INT64_MAX;
    want->member->post_token(want->endpoint, want->key);
    want = wants_.erase(want);
  }
  publish();
}

void ConnectionLimits::publish() {
  int64_t total_since = INT64_MAX;
  for (const Want& want : wants_) {
    const int64_t since = number_of(want.since);
    if (ask(*want.endpoint) == Answer::TotalFull) total_since = std::min(total_since, since);
    want.endpoint->wanted_since = std::min(want.endpoint->wanted_since.load(), since);
  }
  total_wanted_since_ = total_since;
}

Instant ConnectionLimits::wanted_since(const EndpointRecord& endpoint) const {
  return instant_of(std::min(endpoint.wanted_since.load(std::memory_order_relaxed),
                             total_wanted_since_.load(std::memory_order_relaxed)));
}

uint32_t ConnectionLimits::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

}  // namespace perilune::upstream
