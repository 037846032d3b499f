#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/limits.hpp"
#include "loop/loop.hpp"
#include "net/asio_driver.hpp"
#include "net/network.hpp"

struct ares_channeldata;
struct ares_addrinfo;

namespace perilune::net {

struct ResolverOptions {
  /// As parse_servers takes them; empty: what /etc/resolv.conf names.
  std::string servers = {};
  /// From the question to the failure, whatever the servers do meanwhile.
  Duration timeout = limits::resolve_timeout;
};

/// "ip:port,[ip6]:port": DNS servers, of which the first that answers counts; without a port it is 53. Errors
/// (Side::Script): Internal with a sentence about the entry that is none.
Result<std::vector<Address>> parse_servers(std::string_view text);

/// Looks names up for one worker with c-ares: the hosts file first, then DNS; both families, sorted as RFC
/// 6724 says. Answers are kept as long as their TTL says (at least 1 s, at most 1 h, at most 1,024 names),
/// and their `ttl` is what is left of that; lookups of one name at the same time are one. A name of the hosts
/// file is answered without DNS; it has no TTL, so it is kept for 1 s.
///
/// An answer for one family is enough: servers that answer for A and are silent about AAAA are too common to
/// insist on both. That there is no address, though, is said only when the servers say so of both, or of the
/// name itself.
class Resolver {
 public:
  Resolver(AsioDriver& driver, loop::Loop& loop, ResolverOptions options = {});
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  /// Network::resolve.
  std::unique_ptr<Operation> resolve(const Address& name, ResolveHandler& handler);
  /// Asks DNS for the SRV records of a complete name. `callback` is an ares_callback; it is called exactly
  /// once, maybe within this call, at the latest by the destructor.
  using AresCallback = void(void* self, int status, int timeouts, unsigned char* message, int bytes);
  void ask_for_service(const std::string& name, AresCallback* callback, void* self);
  Duration timeout() const { return options_.timeout; }
  size_t cached_names() const { return cache_.size(); }

 private:
  class Query;
  class Lookup;
  class SocketWatch;
  struct Answer {
    std::vector<Address> addresses;  // without port
    Instant expires;
  };

  Result<ares_channeldata*> channel();
  int set_servers();
  const Answer* cached(const std::string& host);
  void keep(const std::string& host, const Resolution& resolution);
  void look_up(const std::string& host, Query& query);
  void on_answer(Lookup& lookup, int status, const ares_addrinfo* answer);
  void on_socket_state(int fd, bool wants_read, bool wants_write);
  void process(int readable_fd, int writable_fd);
  void on_retry_due();
  void arm_retry();

  AsioDriver& driver_;
  loop::Loop& loop_;
  const ResolverOptions options_;
  ares_channeldata* channel_ = nullptr;
  std::unordered_map<std::string, Answer> cache_;
  std::unordered_map<std::string, std::unique_ptr<Lookup>> lookups_;
  std::vector<std::unique_ptr<SocketWatch>> sockets_;
  loop::MemberTimer<Resolver, &Resolver::on_retry_due> retry_timer_{*this};
};

}  // namespace perilune::net
