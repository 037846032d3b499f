#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
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
  /// "ip:port,[ip6]:port"; empty: what /etc/resolv.conf names.
  std::string servers = {};
  /// From the question to the failure, whatever the servers do meanwhile.
  Duration timeout = limits::resolve_timeout;
};

/// Looks names up for one worker with c-ares: the hosts file first, then DNS; both families, sorted as RFC
/// 6724 says. Answers are kept as long as their TTL says (at least 1 s, at most 1 h, at most 1,024 names);
/// lookups of one name at the same time are one. A name of the hosts file is answered without DNS.
class Resolver {
 public:
  Resolver(AsioDriver& driver, loop::Loop& loop, ResolverOptions options = {});
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  /// Network::resolve.
  std::unique_ptr<Operation> resolve(const Address& name, ResolveHandler& handler);
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
  const Answer* cached(const std::string& host);
  void keep(const std::string& host, std::vector<Address> addresses, Duration ttl);
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
