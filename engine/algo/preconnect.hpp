#pragma once

#include <cstdint>

#include "base/limits.hpp"

namespace perilune::algo {

/// What one pool has to do. Requests are counted as streams: over HTTP/1 a connection has one.
struct ConnectDemand {
  uint64_t pending = 0;   ///< requests that wait for a connection
  uint64_t active = 0;    ///< requests on a connection
  uint64_t capacity = 0;  ///< streams that connections have free, those that are connecting counted in
};

/// Anticipate: one more request is reckoned with than there is.
enum class Anticipate : uint8_t { No, Yes };

/// Whether one more connection should be opened: when the requests, times `ratio`, are more than what the
/// connections can do. `ratio` 1 opens for demand only, 1.5 keeps half as many spare again; it is heeded to a
/// thousandth. Statements 83 and 84 of the pools survey, which has the history of this formula (1c).
bool should_connect(const ConnectDemand& demand, double ratio, Anticipate anticipate = Anticipate::No);

/// How many to open for one event, each with `streams` of capacity (at least 1): at most `preconnects_max`.
/// Statement 86.
uint32_t connects_wanted(const ConnectDemand& demand, double ratio, uint64_t streams = 1);

/// The same for an endpoint that is not healthy: what waits needs a connection, nothing is opened ahead.
/// Statement 85.
uint32_t connects_wanted_unhealthy(const ConnectDemand& demand, uint64_t streams = 1);

/// Whether a connecting connection, which `demand.capacity` counts with `streams`, is needed no more once a
/// request is cancelled: without it none would be opened. Statement 33.
bool is_excess(const ConnectDemand& demand, uint64_t streams, double ratio);

/// Connections that an endpoint should have even without traffic.
struct FloorRules {
  uint32_t connections = 0;                            ///< 0: no floor
  uint32_t failures_max = limits::floor_failures_max;  ///< at least 1
};

/// What the floor asks about the endpoint.
struct FloorView {
  uint32_t open = 0;        ///< connections, idle or not, and connecting ones
  uint32_t room = 0;        ///< how many the limits allow to open
  bool is_healthy = true;   ///< unhealthy: no floor
  bool is_closing = false;  ///< drain or shutdown: no floor
};

/// Keeps connections open ahead of the traffic: to be asked at the start, when a connection closed, when the
/// endpoint became healthy and when a connect succeeded; after a failed connect, not before a pause. Closed
/// ones that nobody ever used are replaced like others, hence only up to the floor. Statements 87 to 89.
class PreconnectFloor {
 public:
  struct Wanted {
    uint32_t open = 0;     ///< at most `preconnects_max`: ask again once these are done
    uint32_t blocked = 0;  ///< wanted too, but there is no room: to be counted, not to be queued
  };

  explicit PreconnectFloor(const FloorRules& rules) : rules_(rules) {}

  Wanted wanted(const FloorView& view) const;

  /// Any connect of the endpoint counts, whoever asked for it.
  void on_connected() { failures_ = 0; }
  void on_connect_failed() {
    if (!is_paused()) ++failures_;
  }
  /// After so many failures in a row nothing is opened until a connect succeeds.
  bool is_paused() const { return failures_ >= rules_.failures_max; }

 private:
  FloorRules rules_;
  uint32_t failures_ = 0;
};

}  // namespace perilune::algo
