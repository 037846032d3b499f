#include "upstream/discovery.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/expect.hpp"
#include "base/log.hpp"

namespace perilune::upstream {

namespace {

constexpr Duration retry_min = 1s;
// The network gives up before, and has the answers of some targets then.
constexpr Duration patience = limits::resolve_timeout + 1s;
constexpr Duration longest_wait = 24h * 365;  // "never" is a time that can be added to now
constexpr uint32_t doublings_max = 16;        // the longest retry has come long before
constexpr int64_t jitter_part = 10;           // of a delay

DiscoveryOptions with_sound_times(DiscoveryOptions options) {
  options.ttl_min = std::max(options.ttl_min, limits::discovery_ttl_min);
  options.ttl_min = std::min(options.ttl_min, longest_wait);
  options.ttl_max = std::clamp(options.ttl_max, options.ttl_min, longest_wait);
  return options;
}

auto identity(const net::Address& address) { return std::tie(address.kind, address.host, address.port); }

std::string describe(net::Absence absence) {
  switch (absence) {
    case net::Absence::NoName: return "no such name";
    case net::Absence::NoRecords: return "no records";
    case net::Absence::None: break;
  }
  return "its targets have no address";
}

std::string count_of(size_t endpoints) {
  return std::to_string(endpoints) + (endpoints == 1 ? " endpoint" : " endpoints");
}

void warn(std::string_view text, const std::string& name, const std::string& detail) {
  log::write(log::Level::Warn, text, std::array{log::Field{"name", name}, log::Field{"detail", detail}});
}

}  // namespace

Discovery::Discovery(loop::Loop& loop, net::Network& network, DiscoveryHandler& handler,
                     const DiscoveryOptions& options)
    : loop_(loop), network_(network), handler_(handler), options_(with_sound_times(options)) {}

void Discovery::start() {
  PERILUNE_EXPECT(!operation_ && !timer_.is_armed() && !endpoints_, "a discovery is started once");
  ask();
}

std::optional<Instant> Discovery::next_lookup() const {
  return timer_.is_armed() && !operation_ ? std::optional(timer_.deadline()) : std::nullopt;
}

void Discovery::on_timer() {
  if (!std::exchange(operation_, nullptr)) return ask();
  on_failure({ErrorCode::ResolveFailure, Side::Upstream, options_.name.host + ": no answer in time"});
}

void Discovery::ask() {
  loop_.arm(timer_, patience);
  if (options_.kind == DiscoveryOptions::Kind::Service) {
    operation_ = network_.resolve_service(options_.name.host, *this);
  } else {
    operation_ = network_.resolve(options_.name, *this);
  }
}

void Discovery::on_resolved(Result<net::Resolution> resolution) {
  operation_.reset();
  if (!resolution) return on_failure(resolution.error());
  if (resolution->addresses.empty()) return on_absence(resolution->absence);
  std::vector<Known> found;
  for (net::Address& address : resolution->addresses) found.push_back({{std::move(address)}, {}});
  failure_.reset();
  retries_ = 0;
  on_answer(std::move(found), resolution->ttl, 0);
}

void Discovery::on_service(Result<net::ServiceResolution> resolution) {
  operation_.reset();
  if (!resolution) return on_failure(resolution.error());
  const auto& unanswered = resolution->unanswered;
  if (resolution->endpoints.empty() && unanswered.empty()) return on_absence(resolution->absence);

  std::vector<Known> found;
  for (net::ServiceEndpoint& endpoint : resolution->endpoints) {
    // A weight of 0 is a very small one (RFC 2782); who computes with weights is spared the case of none.
    const uint32_t weight = std::max<uint32_t>(endpoint.weight, 1);
    found.push_back({{std::move(endpoint.address), weight, endpoint.priority}, std::move(endpoint.target)});
  }
  if (unanswered.empty()) {
    failure_.reset();
    retries_ = 0;
    return on_answer(std::move(found), resolution->ttl, resolution->left_out);
  }
  // No answer is no reason to let go of endpoints, here for some of the targets.
  for (const Known& known : known_) {
    if (std::ranges::find(unanswered, known.target) != unanswered.end()) found.push_back(known);
  }
  const Error error{
      ErrorCode::ResolveFailure, Side::Upstream,
      options_.name.host + ": no answer for " + unanswered.front() +
          (unanswered.size() > 1 ? " and " + std::to_string(unanswered.size() - 1) + " more" : "")};
  if (found.empty()) return on_failure(error);
  note_failure(error);
  on_answer(std::move(found), std::min(resolution->ttl, next_retry()), resolution->left_out);
}

void Discovery::on_answer(std::vector<Known> found, Duration ttl, size_t left_out) {
  // Of an address that is named twice the first one stays: the best priority, and there the largest weight.
  std::ranges::sort(found, [](const Known& a, const Known& b) {
    const auto key = [](const Known& known) {
      const DiscoveredEndpoint& endpoint = known.endpoint;
      return std::tuple(identity(endpoint.address), endpoint.priority, ~endpoint.weight, known.target);
    };
    return key(a) < key(b);
  });
  // Not std::ranges::unique: Clang 14, which builds the fuzz targets, does not know what GCC 12's gives.
  const auto is_same = [](const Known& a, const Known& b) {
    return a.endpoint.address == b.endpoint.address;
  };
  found.erase(std::unique(found.begin(), found.end(), is_same), found.end());
  std::ranges::stable_sort(found, {}, [](const Known& known) { return known.endpoint.priority; });

  if (found.size() > limits::discovered_endpoints_max) {
    left_out += found.size() - limits::discovered_endpoints_max;
    found.resize(limits::discovered_endpoints_max);
  }
  if (left_out > 0) warn_once_of_cut(left_out);
  absent_since_.reset();
  ask_after(std::clamp(ttl, options_.ttl_min, options_.ttl_max));
  tell_if_changed(std::move(found));
}

void Discovery::on_absence(net::Absence absence) {
  const Instant now = loop_.now();
  if (!absent_since_) absent_since_ = now;
  const Error error{ErrorCode::ResolveFailure, Side::Upstream, options_.name.host + ": " + describe(absence)};
  const Duration grace_left = options_.empty_grace - (now - *absent_since_);
  const Duration retry = next_retry();
  if (known_.empty() || grace_left <= 0ns) {
    if (!failure_ || !known_.empty()) {
      warn("DNS names no endpoints of an upstream", options_.name.host, describe(absence));
    }
    failure_ = error;
    ask_after(retry);
    return tell_if_changed({});
  }
  ask_after(std::min(retry, grace_left));
  note_failure(error);
  handler_.on_discovery_failed(error);
}

void Discovery::on_failure(const Error& error) {
  ask_after(next_retry());
  note_failure(error);
  handler_.on_discovery_failed(error);
}

void Discovery::note_failure(const Error& error) {
  // Once for each trouble: it may last for hours.
  if (!failure_) {
    const std::string what = endpoints_ ? "DNS fails for an upstream, which keeps " + count_of(known_.size())
                                        : "DNS fails for an upstream";
    warn(what, options_.name.host, error.detail);
  }
  failure_ = error;
}

void Discovery::tell_if_changed(std::vector<Known> found) {
  known_ = std::move(found);
  std::vector<DiscoveredEndpoint> endpoints;
  endpoints.reserve(known_.size());
  for (const Known& known : known_) endpoints.push_back(known.endpoint);
  if (endpoints_ == endpoints) return;
  endpoints_ = std::move(endpoints);
  handler_.on_endpoints(*endpoints_);
}

void Discovery::warn_once_of_cut(size_t left_out) {
  if (std::exchange(has_warned_of_cut_, true)) return;
  warn("DNS names more endpoints than an upstream takes", options_.name.host,
       std::to_string(left_out) + " left out");
}

void Discovery::ask_after(Duration delay) {
  const auto spread = static_cast<uint64_t>(delay.count() / jitter_part) + 1;
  loop_.arm(timer_, delay + Duration(static_cast<int64_t>(loop_.driver().random() % spread)));
}

Duration Discovery::next_retry() {
  const uint32_t doublings = std::min(retries_++, doublings_max);
  return std::min<Duration>(retry_min * (int64_t{1} << doublings), limits::discovery_retry_max);
}

}  // namespace perilune::upstream
