#include "sim/dns.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace perilune::sim {

namespace {

Error failure(const std::string& name) {
  return {ErrorCode::ResolveFailure, Side::Upstream, name + ": DNS server returned general failure"};
}

}  // namespace

SimDns::SimDns() { set("localhost", {"127.0.0.1"}); }

void SimDns::set(const std::string& name, std::vector<std::string> hosts, Duration ttl) {
  Name& entry = names_[to_lower(name)];
  entry.state = State::Good;
  entry.hosts = std::move(hosts);
  entry.hosts_ttl = ttl;
}

void SimDns::set_service(const std::string& name, std::vector<Target> targets, Duration ttl) {
  Name& entry = names_[to_lower(name)];
  entry.state = State::Good;
  entry.targets = std::move(targets);
  entry.targets_ttl = ttl;
}

void SimDns::fail(const std::string& name) { names_[to_lower(name)].state = State::Failing; }

void SimDns::silence(const std::string& name) { names_[to_lower(name)].state = State::Silent; }

void SimDns::remove(const std::string& name) { names_.erase(to_lower(name)); }

const SimDns::Name* SimDns::find(const std::string& name) const {
  const auto found = names_.find(to_lower(name));
  return found == names_.end() ? nullptr : &found->second;
}

bool SimDns::is_answered(const std::string& name) const {
  const Name* entry = find(name);
  return !entry || entry->state != State::Silent;
}

bool SimDns::is_known(const std::string& name) const { return find(name) != nullptr; }

Result<net::Resolution> SimDns::addresses_of(const net::Address& name) const {
  using Kind = net::Address::Kind;
  if (!name.needs_resolving()) return net::Resolution{.addresses = {name}, .ttl = Duration::max()};
  const Name* entry = find(name.host);
  if (!entry) return net::Resolution{.absence = net::Absence::NoName};
  if (entry->state != State::Good) return failure(name.host);
  if (entry->hosts.empty()) return net::Resolution{.absence = net::Absence::NoRecords};
  net::Resolution resolution{.ttl = entry->hosts_ttl};
  for (const std::string& host : entry->hosts) {
    const bool is_ip6 = host.find(':') != std::string::npos;
    resolution.addresses.push_back({is_ip6 ? Kind::Ip6 : Kind::Ip4, host, name.port});
  }
  return resolution;
}

Result<net::ServiceResolution> SimDns::service_of(const std::string& name) const {
  const Name* entry = find(name);
  if (!entry) return net::ServiceResolution{.absence = net::Absence::NoName};
  if (entry->state != State::Good) return failure(name);
  if (entry->targets.empty()) return net::ServiceResolution{.absence = net::Absence::NoRecords};
  net::ServiceResolution resolution{.ttl = entry->targets_ttl};
  bool is_any_answered = false;
  for (size_t i = 0; i < entry->targets.size(); ++i) {
    const Target& target = entry->targets[i];
    if (i >= limits::service_targets_max) {
      ++resolution.left_out;
      continue;
    }
    const std::string host = to_lower(target.host);
    auto found = addresses_of({net::Address::Kind::Name, host, target.port});
    auto& unanswered = resolution.unanswered;
    if (!found) {
      if (std::ranges::find(unanswered, host) == unanswered.end()) unanswered.push_back(host);
      continue;
    }
    is_any_answered = true;
    if (!found->addresses.empty()) resolution.ttl = std::min(resolution.ttl, found->ttl);
    for (net::Address& address : found->addresses)
      resolution.endpoints.push_back({std::move(address), target.priority, target.weight, host});
  }
  if (!is_any_answered) return failure(name);
  return resolution;
}

}  // namespace perilune::sim
