#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "loop/loop.hpp"
#include "net/network.hpp"

namespace perilune::upstream {

/// An endpoint as DNS names it. Its identity is the address.
struct DiscoveredEndpoint {
  net::Address address;
  uint32_t weight = 1;    // share within the priority, at least 1
  uint32_t priority = 0;  // smaller ones first
  friend bool operator==(const DiscoveredEndpoint&, const DiscoveredEndpoint&) = default;
};

/// Told by a Discovery, from the loop, never from within a call to it.
class DiscoveryHandler {
 public:
  /// The endpoints are others than before: all of them, by priority and then by the address's text, each
  /// once. The first call tells the first answer, also when that is empty. May destroy the discovery;
  /// `endpoints` is then gone.
  virtual void on_endpoints(const std::vector<DiscoveredEndpoint>& endpoints) = 0;
  /// A lookup came to nothing, and what was told last holds on: for whoever waits for the first answer, and
  /// for counters. The log has been told. May destroy the discovery.
  virtual void on_discovery_failed(const Error& /*error*/) {}

 protected:
  ~DiscoveryHandler() = default;
};

struct DiscoveryOptions {
  enum class Kind : uint8_t {
    Addresses,  // A and AAAA of a host: weight 1, priority 0
    Service,    // SRV (RFC 2782): ports, weights and priorities come from the records
  };
  Kind kind = Kind::Addresses;
  /// Addresses: the host, and the port that its endpoints get. Service: the complete name of the records,
  /// such as
  /// "_http._tcp.example.org"; the port is not used.
  net::Address name = {};
  /// What the TTL of an answer is held to. Less than limits::discovery_ttl_min is that, more than a year is a
  /// year, and a `ttl_max` below `ttl_min` is `ttl_min`.
  Duration ttl_min = limits::discovery_ttl_min;
  Duration ttl_max = limits::discovery_ttl_max;
  /// How long DNS has to say that there is nothing until that is believed. 0: at once; Duration::max():
  /// never.
  Duration empty_grace = limits::discovery_grace;
};

/// Keeps the endpoints of one DNS name fresh. It asks again when the TTL is over, and up to a tenth later, so
/// that many who began together do not ask together for ever.
///
/// Without an answer the last set holds for as long as it takes, and DNS is asked after 1, 2, 4… s, at most
/// limits::discovery_retry_max: that a name server is down says nothing about the endpoints. A service of
/// which only some targets could be resolved keeps the last endpoints of the others.
///
/// An answer that there is nothing (no such name, no records) is believed only once it has been the answer
/// for the grace time, and asked about as after a failure meanwhile. An emptied zone is a slip more often
/// than a wish: whole services went down with a bad push. Who means it waits for a minute; who keeps the old
/// set for ever, as others do, sends traffic to addresses that are long somebody else's. (envoy#34721,
/// envoy#24371.) Before the first endpoints there is nothing to protect, and it is told at once.
///
/// More endpoints than limits::discovered_endpoints_max are cut, the last in the order of on_endpoints, and
/// the log is warned once. An address that is named twice counts with its first priority, and there with its
/// largest weight. Letting go of removed endpoints at a bearable rate is up to the handler.
class Discovery final : private net::ResolveHandler, private net::ServiceHandler {
 public:
  /// `loop`, `network` and `handler` outlive the discovery; destroying it ends all it does.
  Discovery(loop::Loop& loop, net::Network& network, DiscoveryHandler& handler,
            const DiscoveryOptions& options);
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  /// Begins. Once; the first answer comes in a later turn.
  void start();
  /// What was told last; none before the first answer.
  const std::optional<std::vector<DiscoveredEndpoint>>& endpoints() const { return endpoints_; }
  /// Why the last lookup came to nothing, until one succeeds.
  const std::optional<Error>& failure() const { return failure_; }
  /// When DNS is asked next; none while a question is open.
  std::optional<Instant> next_lookup() const;

 private:
  /// An endpoint, and the target of a service that it came from.
  struct Known {
    DiscoveredEndpoint endpoint;
    std::string target;
  };

  void on_resolved(Result<net::Resolution> resolution) override;
  void on_service(Result<net::ServiceResolution> resolution) override;
  void on_timer();
  void ask();
  void on_answer(std::vector<Known> found, Duration ttl, size_t left_out);
  void on_absence(net::Absence absence);
  void on_failure(const Error& error);
  void note_failure(const Error& error);
  void tell_if_changed(std::vector<Known> found);
  void warn_once_of_cut(size_t left_out);
  void ask_after(Duration delay);
  Duration next_retry();

  loop::Loop& loop_;
  net::Network& network_;
  DiscoveryHandler& handler_;
  const DiscoveryOptions options_;
  std::unique_ptr<net::Operation> operation_;
  std::optional<std::vector<DiscoveredEndpoint>> endpoints_;
  std::vector<Known> known_;  // the same with their targets
  std::optional<Error> failure_;
  std::optional<Instant> absent_since_;
  uint32_t retries_ = 0;
  bool has_warned_of_cut_ = false;
  loop::MemberTimer<Discovery, &Discovery::on_timer> timer_{*this};
};

}  // namespace perilune::upstream
