#include <cstdio>

#include "upstream/cluster.hpp"

// Cluster::explain: in words, why connections are reused or not.

namespace perilune::upstream {
namespace {

std::string count_of(uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string time_of(Duration span) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", to_seconds(span));
  return text;
}

/// Why connections did not live on, as far as there were any such.
void add_ends(std::string& text, const EndpointCounts& count) {
  std::string ends;
  const auto add = [&](uint64_t number, std::string_view why) {
    if (number > 0)
      ends.append(ends.empty() ? "" : ", ").append(std::to_string(number)).append(" ").append(why);
  };
  using algo::CloseReason;
  const auto closed = [&](CloseReason reason) { return count.closed[static_cast<size_t>(reason)].get(); };
  add(count.closed_idle.get(), "closed by the other side while idle");
  add(count.unexpected_data.get(), "for bytes that nobody had asked for");
  add(closed(CloseReason::IdleTimeout), "idle for too long");
  add(closed(CloseReason::Ttl), "at the end of their ttl");
  add(closed(CloseReason::UsesSpent), "after maxMessages");
  add(closed(CloseReason::Evicted), "to make room for another endpoint or worker");
  add(closed(CloseReason::Discarded), "refused by validate");
  add(closed(CloseReason::IdleLimit), "because maxIdle was reached");
  add(closed(CloseReason::OverLimit), "because a limit was lowered");
  add(closed(CloseReason::Drained), "drained, by the script or because the endpoint became unhealthy");
  if (!ends.empty()) text.append("  connections ended: ").append(ends).append("\n");
}

}  // namespace

std::string Cluster::explain(std::string_view name) const {
  std::string text;
  const Instant now = loop().now();
  for (const auto& owned : endpoints_) {
    const Endpoint& endpoint = *owned;
    const EndpointRecord& record = *endpoint.record;
    if (!name.empty() && record.name != name) continue;
    const algo::PoolStats stats = endpoint.known_key ? endpoint.known_key->stats() : algo::PoolStats{};
    const EndpointCounts& count = counts(endpoint);
    text.append(record.name).append(": ");
    if (endpoint.is_removed) text.append("removed, and drains");
    else if (availability_.is_available({record.priority, record.is_available()}) && !record.is_available())
      text.append("chosen though it does not seem well: too few are");
    else if (record.health.load() == algo::Health::Unhealthy) text.append("unhealthy: not chosen");
    else if (record.is_ejected.load()) text.append("ejected after failures: not chosen");
    else text.append("may be chosen");
    text.append("; ")
        .append(std::to_string(stats.leased))
        .append(" busy, ")
        .append(std::to_string(stats.idle));
    text.append(" idle, ").append(std::to_string(stats.pending)).append(" connecting, ");
    text.append(count_of(stats.waiting, "request")).append(" waiting\n");

    // The idle one that would be taken is the one released last, or first.
    const PooledConnection* best = nullptr;
    pool_.each_connection([&](const PooledConnection& connection) {
      if (connection.connection_key() != endpoint.known_key ||
          connection.state() != algo::PoolEntry::State::Idle)
        return;
      const bool is_later = best && connection.idle_since() > best->idle_since();
      if (!best || is_later != options_.is_fifo) best = &connection;
    });
    text.append("  the next request ");
    if (stats.waiting > 0) {
      text.append("waits behind those that wait already\n");
    } else if (best) {
      text.append("takes the connection that has been idle for ").append(time_of(now - best->idle_since()));
      text.append(" and was leased ").append(count_of(best->uses(), "time")).append("\n");
    } else if (!endpoint.known_key || pool_.policy().has_room(*endpoint.known_key)) {
      text.append("opens a connection: none is idle\n");
    } else {
      text.append("waits: the limits of connections are reached\n");
    }

    const uint64_t reused = count.reused.get();
    const uint64_t opened = count.connections.get();
    text.append("  so far ")
        .append(count_of(count.requests.get(), "request"))
        .append(": ")
        .append(std::to_string(reused));
    text.append(" reused a connection, ").append(count_of(opened, "connection")).append(" opened");
    if (const uint64_t failed = count.connect_failed.get() + count.connect_timeout.get(); failed > 0)
      text.append(", ").append(count_of(failed, "time")).append(" in vain");
    if (const uint64_t stale = count.stale_retries.get(); stale > 0)
      text.append("; ").append(count_of(stale, "idle connection")).append(" turned out to be dead");
    text.append("\n");
    add_ends(text, count);
    if (endpoint.applied_cutoff < options_.idle_timeout)
      text.append("  idle connections are kept for ").append(time_of(endpoint.applied_cutoff));
    if (endpoint.applied_cutoff < options_.idle_timeout)
      text.append(": this server closes them soon after\n");
  }
  return text;
}

}  // namespace perilune::upstream
