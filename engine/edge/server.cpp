#include "edge/server.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "flow/trusted_proxies.hpp"

namespace perilune::edge {
namespace {

// One line tells of a whole shortage.
constexpr Duration log_pause = 10s;

// At most as many idle connections give way at a look, ten times a second.
constexpr size_t idle_ended_at_once = 32;

// Sessions that move in a turn: what it takes is a fraction of a millisecond.
constexpr size_t moves_a_turn = 64;

}  // namespace

Server::Server(flow::Runtime& runtime, flow::PipelinePlan& plan, const net::Address& address,
               const ServerOptions& options, ListenerCounts& counts)
    : Newcomers::Host(runtime.loop),
      runtime_(runtime),
      plan_(&plan),
      options_(options),
      address_(address),
      counts_(counts) {
  if (options_.connections_max > 0) counts_.newcomers.join(*this);
}

Server::~Server() {
  if (options_.connections_max > 0) counts_.newcomers.part(*this);
  count_waiting(0);
  // It hands out whoever waits in the kernel's queue.
  listener_.reset();
  PERILUNE_EXPECT(sessions_.empty(), "a server ends after its sessions");
}

Result<void> Server::listen(net::Network& network) {
  auto listener = network.listen(address_, options_.listen, *this);
  if (listener.has_error()) return listener.error();
  listener_ = std::move(*listener);
  listener_->pause();
  return {};
}

void Server::open() {
  is_serving_ = true;
  listener_->resume();
}

void Server::inherit(Server& before) {
  is_serving_ = true;
  before.room_timer_.disarm();
  before.count_waiting(0);
  listener_ = std::move(before.listener_);
  listener_->hand_over(*this, options_.listen);
  listener_->resume();
}

Departures Server::retire(Server* heir) {
  Departures result;
  heir_ = heir;
  const bool is_first = !std::exchange(is_retired_, true);
  for (const Session& session : sessions_) {
    if (heir && session.is_movable()) ++result.moving;
    else ++result.staying;
  }
  if (is_first || !heir) next_to_leave_ = sessions_.begin();
  if (!sessions_.empty()) runtime_.loop.defer(move_task_);
  return result;
}

void Server::move_some() {
  for (size_t left = moves_a_turn; next_to_leave_ != sessions_.end(); --left) {
    if (left == 0) {
      runtime_.loop.defer_to_next_turn(move_task_);
      return;
    }
    Session& session = *next_to_leave_++;
    const auto how = heir_ ? flow::Leaving::Move : flow::Leaving::Close;
    if (session.leave(how) == Session::Departure::AtRest) move(session);
  }
}

void Server::on_session_at_rest(Session& session) {
  if (heir_ && session.leave(flow::Leaving::Move) == Session::Departure::AtRest) move(session);
}

void Server::move(Session& session) {
  if (next_to_leave_ == sessions_.iterator_to(session)) ++next_to_leave_;
  let_go(session);
  heir_->take_over(session);
}

void Server::let_go(Session& session) {
  sessions_.erase(sessions_.iterator_to(session));
  --sessions_count_;
  if (std::exchange(session.gives_way, false)) counts_.newcomers.settle();
  counts_.leave();
  if (options_.connections_per_ip_max > 0)
    if (const auto client = counted_client(session.ip())) counts_.leave_network(*client);
}

void Server::take_over(Session& session) {
  if (const auto client = counted_client(session.ip())) counts_.enter_network(*client, SIZE_MAX);
  ++stats_.inherited;
  session.id = ++ids_;
  sessions_.push_back(session);
  ++sessions_count_;
  counts_.enter();
  session.move(*plan_, *this, options_.session);
}

void Server::wind_down() {
  const Instant since = runtime_.loop.now() - limits::idle_age_min;
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    Session& candidate = *session++;  // which may be over at once
    if (!candidate.end_if_idle(since)) candidate.leave(flow::Leaving::Close);
  }
}

std::optional<uint64_t> Server::counted_client(const std::string& ip) const {
  if (options_.connections_per_ip_max == 0) return std::nullopt;
  if (options_.spares_loopback && (ip.starts_with("127.") || ip == "::1")) return std::nullopt;
  const flow::TrustedProxies* trusted = options_.session.rules.trusted_proxies;
  return trusted && trusted->trusts(ip) ? std::nullopt : client_network(ip);
}

void Server::refuse(const std::string& ip) {
  ++stats_.refused;
  counts_.count(counts_.totals.refused);
  if (runtime_.loop.now() < next_refusal_log_) return;
  next_refusal_log_ = runtime_.loop.now() + log_pause;
  log::warn("connection refused: " + ip + " has " + std::to_string(options_.connections_per_ip_max) +
            " already (maxConnectionsPerIP)");
}

bool Server::may_accept() {
  if (options_.connections_max == 0) return true;
  if (counts_.open() < options_.connections_max && !yields()) return true;
  if (listener_->waiting() > 0) pause_at_limit();
  return false;
}

void Server::on_accept(std::unique_ptr<net::Stream> stream) {
  // It ends without having begun: another worker, or another address, could not be had.
  if (!is_serving_) return stream->reset_on_close();
  if (options_.connections_per_ip_max > 0) {
    const std::string ip = stream->peer().host;
    const auto client = counted_client(ip);
    if (client && !counts_.enter_network(*client, options_.connections_per_ip_max)) {
      stream->reset_on_close();
      return refuse(ip);
    }
  }
  auto session = make_ref<Session>(runtime_, std::move(stream), *this, options_.session);
  ++stats_.accepted;
  counts_.count(counts_.totals.accepted);
  session->id = ++ids_;
  session->add_reference();  // the list's
  sessions_.push_back(*session);
  ++sessions_count_;
  counts_.enter();
  has_had_its_turn_ = waiting_elsewhere() > 0;
  session->start(*plan_);
}

size_t Server::waiting_elsewhere() const {
  // At a unix socket all workers take from one queue.
  if (options_.connections_max == 0 || address_.kind == net::Address::Kind::Unix) return 0;
  const size_t all = counts_.newcomers.waiting();
  return all - std::min(all, waiting_);
}

bool Server::yields() const { return has_had_its_turn_ && waiting_elsewhere() > 0; }

void Server::pause_at_limit() {
  if (is_at_limit_ || !listener_) return;
  is_at_limit_ = true;
  ++stats_.pauses;
  counts_.count(counts_.totals.pauses);
  listener_->pause();
  if (runtime_.loop.now() >= next_limit_log_) {
    next_limit_log_ = runtime_.loop.now() + log_pause;
    log::warn("accept paused: " + std::to_string(options_.connections_max) +
              " connections are open (maxConnections)");
  }
  seek_room();
}

void Server::look_for_room() {
  if (!is_at_limit_ || !listener_) return;
  has_had_its_turn_ = false;  // who did not come for it in this time has lost it
  if (counts_.open() < options_.connections_max) return accept_again();
  seek_room();
}

void Server::on_newcomers() {
  if (is_at_limit_ && listener_ && counts_.open() < options_.connections_max && !yields()) accept_again();
  make_room();
}

void Server::seek_room() {
  runtime_.loop.arm(room_timer_, limits::accept_pause);
  count_waiting(listener_->waiting());
  make_room();
  counts_.newcomers.call_others(*this);
}

void Server::make_room() {
  const Instant since = runtime_.loop.now() - limits::idle_age_min;
  size_t left = idle_ended_at_once;
  bool is_claimed = false;
  // In the order of their arrival: nearly that of how long they have waited, and it costs no book-keeping.
  for (auto session = sessions_.begin(); session != sessions_.end() && left > 0;) {
    Session& candidate = *session++;  // which may be over at once
    if (candidate.gives_way) continue;
    is_claimed = is_claimed || counts_.newcomers.claim();
    if (!is_claimed) return;
    candidate.gives_way = true;
    if (!candidate.end_if_idle(since)) {
      candidate.gives_way = false;
      continue;
    }
    is_claimed = false;  // it is the session's
    ++stats_.idle_ended;
    counts_.count(counts_.totals.idle_ended);
    --left;
  }
  if (is_claimed) counts_.newcomers.settle();
}

void Server::accept_again() {
  is_at_limit_ = false;
  room_timer_.disarm();
  count_waiting(0);
  listener_->resume();
}

void Server::count_waiting(size_t waiting) {
  if (address_.kind == net::Address::Kind::Unix) return counts_.newcomers.recount_shared(waiting);
  counts_.newcomers.recount(std::exchange(waiting_, waiting), waiting);
}

void Server::on_accept_paused(const Error& error) {
  // It tries again ten times a second; one line tells of the whole shortage.
  if (runtime_.loop.now() < next_pause_log_) return;
  next_pause_log_ = runtime_.loop.now() + log_pause;
  log::warn("accept paused: " + error.to_string());
}

void Server::on_session_over(Session& session) {
  if (next_to_leave_ == sessions_.iterator_to(session)) ++next_to_leave_;
  let_go(session);
  session.drop_reference();
  if (options_.connections_max == 0 || counts_.open() >= options_.connections_max) return;
  if (is_at_limit_ && listener_ && !yields()) accept_again();
  else if (waiting_elsewhere() > 0) counts_.newcomers.call_others(*this);
}

void Server::stop_accepting() {
  room_timer_.disarm();
  count_waiting(0);
  listener_.reset();
}

void Server::cut_all(const Error& error) {
  while (!sessions_.empty()) sessions_.front().cut(error);
}

}  // namespace perilune::edge
