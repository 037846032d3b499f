#pragma once

#include <map>
#include <string>
#include <vector>

#include "net/network.hpp"

namespace perilune::sim {

/// The names of a world, as its DNS servers and hosts file know them. Answers are looked up when the question
/// is asked, without a cache in between: how long an answer holds is up to whoever asked. Names are compared
/// without case. "localhost" is known, any other name is not until it is set.
class SimDns {
 public:
  static constexpr Duration usual_ttl = 60s;

  struct Target {
    std::string host;
    uint16_t port = 0;
    uint16_t priority = 0;
    uint16_t weight = 0;
  };

  SimDns();

  /// Addresses of a name, in the order in which they are answered. Without any the name exists and has none.
  void set(const std::string& name, std::vector<std::string> hosts, Duration ttl = usual_ttl);
  /// SRV records of a service; the addresses of the targets are those of their own names. Without any the
  /// name exists and has none.
  void set_service(const std::string& name, std::vector<Target> targets, Duration ttl = usual_ttl);
  /// Questions about this name fail, as with servers that are broken, until it is set or removed.
  void fail(const std::string& name);
  /// They are never answered.
  void silence(const std::string& name);
  /// The name does not exist (any more), neither as a host nor as a service.
  void remove(const std::string& name);

  /// False for a name of which nothing is ever heard.
  bool is_answered(const std::string& name) const;
  bool is_known(const std::string& name) const;
  /// As Network::resolve answers. What is silent counts as a failure.
  Result<net::Resolution> addresses_of(const net::Address& name) const;
  /// As Network::resolve_service answers. A silent target is one without an answer.
  Result<net::ServiceResolution> service_of(const std::string& name) const;

 private:
  enum class State : uint8_t { Good, Failing, Silent };
  struct Name {
    State state = State::Good;
    std::vector<std::string> hosts;
    Duration hosts_ttl = usual_ttl;
    std::vector<Target> targets;
    Duration targets_ttl = usual_ttl;
  };
  const Name* find(const std::string& name) const;

  std::map<std::string, Name> names_;
};

}  // namespace perilune::sim
