#include "edge/connection_counts.hpp"

#include <arpa/inet.h>

#include <array>

namespace perilune::edge {
namespace {

// Above all IPv6 networks that clients come from: ffff::/16 is multicast.
constexpr uint64_t ip4_networks = 0xffff'ffff'0000'0000;

uint64_t number_of(const uint8_t* bytes, size_t count) {
  uint64_t number = 0;
  for (size_t i = 0; i < count; ++i) number = number << 8 | bytes[i];
  return number;
}

}  // namespace

std::optional<uint64_t> client_network(std::string_view ip) {
  const std::string text(ip.substr(0, ip.find('%')));  // without the zone of a link-local address
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return ip4_networks | number_of(bytes.data(), 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::nullopt;
  const bool is_mapped = number_of(bytes.data(), 8) == 0 && number_of(bytes.data() + 8, 4) == 0xffff;
  return is_mapped ? ip4_networks | number_of(bytes.data() + 12, 4) : number_of(bytes.data(), 8);
}

bool ListenerCounts::enter_network(uint64_t network, size_t max) {
  const std::lock_guard lock(mutex_);
  size_t& open = by_network_[network];
  if (open >= max) return false;
  ++open;
  return true;
}

void ListenerCounts::leave_network(uint64_t network) {
  const std::lock_guard lock(mutex_);
  const auto entry = by_network_.find(network);
  if (entry != by_network_.end() && --entry->second == 0) by_network_.erase(entry);
}

ListenerCounts& ConnectionCounts::of(const std::string& listener) {
  const std::lock_guard lock(mutex_);
  auto& counts = listeners_[listener];
  if (!counts) counts = std::make_unique<ListenerCounts>();
  return *counts;
}

}  // namespace perilune::edge
