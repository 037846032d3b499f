#include "net/resolver.hpp"

#include <ares.h>

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "net/socket_address.hpp"

namespace perilune::net {

namespace {

constexpr Duration ttl_min = 1s;  // also for answers of the hosts file, which have none
constexpr Duration ttl_max = 1h;
constexpr size_t cached_names_max = 1024;

constexpr uint16_t dns_port = 53;
constexpr int class_internet = 1;  // RFC 1035 section 3.2.4
constexpr int type_srv = 33;       // RFC 2782

using QueryHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

Error failure(const std::string& host, std::string_view reason) {
  return {ErrorCode::ResolveFailure, Side::Upstream, host + ": " + std::string(reason)};
}

std::optional<Address> address_of(const ares_addrinfo_node& node) {
  SocketAddress address;
  if (node.ai_family != AF_INET && node.ai_family != AF_INET6) return std::nullopt;
  if (node.ai_addrlen > sizeof address.path) return std::nullopt;
  std::copy_n(reinterpret_cast<const char*>(node.ai_addr), node.ai_addrlen,
              reinterpret_cast<char*>(&address.any));
  Address result = to_address(address);
  result.port = 0;
  return result;
}

}  // namespace

/// One caller's wait for an answer.
class Resolver::Query final : public Operation, public QueryHook, private EventTarget {
 public:
  Query(AsioDriver& driver, uint16_t port, ResolveHandler& handler)
      : EventTarget(driver), handler_(handler), port_(port) {}

  /// The handler hears of it in the next dispatch.
  void answer(Result<Resolution> result) {
    unlink();
    if (result) {
      for (Address& address : result->addresses) {
        if (address.kind != Address::Kind::Unix) address.port = port_;
      }
    }
    result_ = std::move(result);
    driver_.redeliver(*this, 0);
  }

 private:
  void on_events(uint32_t) override { handler_.on_resolved(std::move(result_)); }

  ResolveHandler& handler_;
  uint16_t port_;
  Result<Resolution> result_{Error{}};
};

/// A name that c-ares is asked about; it stays until c-ares has answered, even when nobody waits any more.
///
/// Asked for both families at once, c-ares gives the status of whichever answer came last: "no records" for
/// one may hide a failure of the other. So that answer is looked into with one family after the other.
class Resolver::Lookup {
 public:
  Lookup(Resolver& owner, std::string host) : owner_(owner), host_(std::move(host)) {}

  const std::string& host() const { return host_; }
  void add(Query& query) {
    queries_.push_back(query);
    if (!deadline_.is_armed()) owner_.loop_.arm(deadline_, owner_.options_.timeout);
  }
  /// May answer at once, and this is gone then.
  void ask(ares_channeldata* channel) {
    ares_addrinfo_hints hints{};
    hints.ai_family = family_;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel, host_.c_str(), nullptr, &hints, &Lookup::on_answer, this);
  }
  /// False when both families have been asked for alone.
  bool ask_next_family(ares_channeldata* channel) {
    if (family_ == AF_INET6) return false;
    family_ = family_ == AF_UNSPEC ? AF_INET : AF_INET6;
    ask(channel);
    return true;
  }
  void answer(const Result<Resolution>& result) {
    while (!queries_.empty()) queries_.front().answer(result);
  }
  static void on_answer(void* self, int status, int, ares_addrinfo* answer) {
    auto* lookup = static_cast<Lookup*>(self);
    lookup->owner_.on_answer(*lookup, status, answer);
    ares_freeaddrinfo(answer);
  }

 private:
  void on_deadline() { answer(failure(host_, "no answer in time")); }

  Resolver& owner_;
  const std::string host_;
  int family_ = AF_UNSPEC;
  boost::intrusive::list<Query, boost::intrusive::constant_time_size<false>> queries_;
  loop::MemberTimer<Lookup, &Lookup::on_deadline> deadline_{*this};
};

/// A socket of c-ares in the driver's set. Level-triggered: c-ares does not promise to read until EAGAIN.
class Resolver::SocketWatch final : private EventTarget {
 public:
  SocketWatch(Resolver& owner, int fd, uint32_t events) : EventTarget(owner.driver_), owner_(owner), fd_(fd) {
    // A refusal needs no words: the query then ends by its timeout.
    if (!driver_.watch(fd_, events, *this, AsioDriver::Trigger::Level)) fd_ = -1;
  }
  ~SocketWatch() {
    if (fd_ >= 0) driver_.unwatch(fd_);
  }
  int fd() const { return fd_; }
  void change(uint32_t events) { driver_.rewatch(fd_, events, *this, AsioDriver::Trigger::Level); }

 private:
  void on_events(uint32_t events) override {
    const bool is_writable = (events & EPOLLOUT) != 0;
    const bool is_readable = (events & ~static_cast<uint32_t>(EPOLLOUT)) != 0;
    owner_.process(is_readable ? fd_ : ARES_SOCKET_BAD, is_writable ? fd_ : ARES_SOCKET_BAD);
  }

  Resolver& owner_;
  int fd_;
};

Result<std::vector<Address>> parse_servers(std::string_view text) {
  std::vector<Address> servers;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string entry(trim(text.substr(begin, end - begin)));
    begin = end + 1;
    // "8.8.8.8" and "[::1]" are parsed with the usual port; "::1" is refused as it is anywhere else.
    auto address = Address::parse(entry);
    if (!address) address = Address::parse(entry + ":" + std::to_string(dns_port));
    const bool is_ip =
        address && (address->kind == Address::Kind::Ip4 || address->kind == Address::Kind::Ip6);
    if (!is_ip || address->port == 0) {
      return Error{ErrorCode::Internal, Side::Script,
                   in_quotes(entry) + " is not \"ip:port\" of a DNS server"};
    }
    servers.push_back(std::move(*address));
  }
  return servers;
}

Resolver::Resolver(AsioDriver& driver, loop::Loop& loop, ResolverOptions options)
    : driver_(driver), loop_(loop), options_(std::move(options)) {}

Resolver::~Resolver() {
  // Answers every lookup that is under way, which then takes itself out of the map.
  if (channel_) ares_destroy(channel_);
}

Result<ares_channeldata*> Resolver::channel() {
  if (channel_) return channel_;
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  ares_options options{};
  char lookups[] = "fb";  // files before bind
  options.lookups = lookups;
  options.timeout = 2000;  // milliseconds for a server's first try
  options.tries = 2;
  options.sock_state_cb_data = this;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Resolver*>(self)->on_socket_state(fd, readable != 0, writable != 0);
  };
  const int mask = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  int status = library;
  if (status == ARES_SUCCESS) status = ares_init_options(&channel_, &options, mask);
  if (status == ARES_SUCCESS && !options_.servers.empty()) status = set_servers();
  if (status != ARES_SUCCESS) {
    if (channel_) ares_destroy(std::exchange(channel_, nullptr));
    return Error{ErrorCode::ResolveFailure, Side::Engine, ares_strerror(status)};
  }
  return channel_;
}

int Resolver::set_servers() {
  const auto servers = parse_servers(options_.servers);
  if (!servers) return ARES_EBADSTR;
  std::string list;
  for (const Address& server : *servers) list += (list.empty() ? "" : ",") + server.to_string();
  return ares_set_servers_ports_csv(channel_, list.c_str());
}

std::unique_ptr<Operation> Resolver::resolve(const Address& name, ResolveHandler& handler) {
  auto query = std::make_unique<Query>(driver_, name.port, handler);
  if (!name.needs_resolving()) {
    query->answer(Resolution{.addresses = {name}, .ttl = Duration::max()});
    return query;
  }
  const std::string host = to_lower(name.host);
  if (const Answer* answer = cached(host)) {
    query->answer(Resolution{.addresses = answer->addresses, .ttl = answer->expires - loop_.now()});
  } else {
    look_up(host, *query);
  }
  return query;
}

const Resolver::Answer* Resolver::cached(const std::string& host) {
  const auto found = cache_.find(host);
  if (found == cache_.end()) return nullptr;
  if (found->second.expires > loop_.now()) return &found->second;
  cache_.erase(found);
  return nullptr;
}

void Resolver::keep(const std::string& host, const Resolution& resolution) {
  if (cache_.size() >= cached_names_max) {
    const Instant now = loop_.now();
    std::erase_if(cache_, [&](const auto& entry) { return entry.second.expires <= now; });
    if (cache_.size() >= cached_names_max) cache_.erase(cache_.begin());
  }
  cache_[host] = {resolution.addresses, loop_.now() + resolution.ttl};
}

void Resolver::look_up(const std::string& host, Query& query) {
  if (const auto running = lookups_.find(host); running != lookups_.end()) return running->second->add(query);
  auto opened = channel();
  if (!opened) return query.answer(failure(host, opened.error().detail));

  auto& lookup = lookups_[host] = std::make_unique<Lookup>(*this, host);
  lookup->add(query);
  lookup->ask(*opened);
  arm_retry();
}

void Resolver::ask_for_service(const std::string& name, AresCallback* callback, void* self) {
  auto opened = channel();
  if (!opened) return callback(self, ARES_ENOTINITIALIZED, 0, nullptr, 0);
  ares_query(*opened, name.c_str(), class_internet, type_srv, callback, self);
  arm_retry();
}

void Resolver::on_answer(Lookup& lookup, int status, const ares_addrinfo* answer) {
  const std::string host = lookup.host();
  Resolution resolution{.ttl = ttl_max};
  if (status == ARES_SUCCESS && answer) {
    for (const ares_addrinfo_node* node = answer->nodes; node; node = node->ai_next) {
      const auto address = address_of(*node);
      auto& addresses = resolution.addresses;
      if (!address || std::ranges::find(addresses, *address) != addresses.end()) continue;
      addresses.push_back(*address);
      resolution.ttl = std::min<Duration>(resolution.ttl, std::chrono::seconds(node->ai_ttl));
    }
  }
  if (!resolution.addresses.empty()) {
    resolution.ttl = std::max(resolution.ttl, ttl_min);
    lookup.answer(resolution);
    keep(host, resolution);
  } else if (status == ARES_SUCCESS || status == ARES_ENODATA) {
    if (lookup.ask_next_family(channel_)) return;
    lookup.answer(Resolution{.absence = Absence::NoRecords});
  } else if (status == ARES_ENOTFOUND) {
    lookup.answer(Resolution{.absence = Absence::NoName});
  } else {
    lookup.answer(failure(host, ares_strerror(status)));
  }
  lookups_.erase(host);
}

void Resolver::on_socket_state(int fd, bool wants_read, bool wants_write) {
  const uint32_t events = (wants_read ? EPOLLIN : 0u) | (wants_write ? EPOLLOUT : 0u);
  const auto found = std::ranges::find(sockets_, fd, [](const auto& watch) { return watch->fd(); });
  if (found != sockets_.end() && events == 0) {
    sockets_.erase(found);
  } else if (found != sockets_.end()) {
    (*found)->change(events);
  } else if (events != 0) {
    sockets_.push_back(std::make_unique<SocketWatch>(*this, fd, events));
  }
}

void Resolver::process(int readable_fd, int writable_fd) {
  ares_process_fd(channel_, readable_fd, writable_fd);
  arm_retry();
}

void Resolver::on_retry_due() { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

void Resolver::arm_retry() {
  timeval left;
  if (!ares_timeout(channel_, nullptr, &left)) return retry_timer_.disarm();
  loop_.arm(retry_timer_, std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
}

}  // namespace perilune::net
