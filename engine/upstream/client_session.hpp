#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "flow/pipeline.hpp"
#include "http/h1_parser.hpp"

namespace perilune::upstream {

class ClientSession;

/// What is known when an exchange fails before its answer began: from it follows whether it may be sent
/// again.
struct ExchangeFailure {
  Error error;
  /// The connection had served another exchange before, so it may simply have been stale.
  bool was_reused = false;
  /// The kernel took at least one byte of this request.
  bool was_written = false;
  /// The exchange is asked to move elsewhere; nothing is wrong with it.
  bool is_moved = false;
  /// It was behind another on a connection that ended for that one's sake; `error` is Closed.
  bool is_bystander = false;
};

/// One request and its response, as its sender sees it.
class ClientExchange {
 public:
  /// The response: interim heads, head, data, end. After a MessageEnd the session has let go of the exchange.
  /// A tunnel ends with a MessageEnd when the upstream's direction ends.
  virtual void on_response(flow::Event&& event) = 0;
  /// No response byte came and none will; the session has let go of the exchange.
  virtual void on_exchange_failed(ExchangeFailure failure) = 0;
  /// The valve that the session holds while the wire takes no more of the request.
  virtual flow::Valve& request_valve() = 0;
  /// The response is not wanted just now.
  virtual bool is_response_held() const = 0;

 protected:
  ~ClientExchange() = default;
};

/// Told about the life of a connection by its session.
class ClientSessionOwner {
 public:
  /// The session takes another request. Told at the end of a turn, so that a close that came with the answer
  /// has been seen.
  virtual void on_session_available(ClientSession& session) = 0;
  /// It takes no more requests and has none: end its connection.
  virtual void on_session_finished(ClientSession& session) = 0;
  /// There is another connection for those who wait behind a slow one, or one may be opened.
  virtual bool may_move_requests(const ClientSession& session) const = 0;

 protected:
  ~ClientSessionOwner() = default;
};

struct ClientSessionOptions {
  /// Requests on the wire at once; beyond the first only idempotent ones.
  size_t pipelining = 1;
  /// Exchanges after which the connection closes; 0: no limit.
  uint64_t messages_max = 0;
};

/// The client's side of one HTTP/1 connection: writes requests, pairs responses with them, judges whether the
/// connection may be used again (RFC 9112 section 9.3) and says which failures may be retried. Without I/O:
/// bytes go to `wire`, which is a pipeline with a `connect` in it or anything else that takes Data and
/// StreamEnd.
///
/// What a connection that was idle brings before the next request is on its wire answers nobody. So on such a
/// connection a request goes to the wire when all readiness known at the begin of the turn was handed out,
/// and bytes that come before end the connection; the request moves elsewhere.
class ClientSession final : public Object, public flow::Sink, public flow::ValveWatcher {
 public:
  ClientSession(flow::Runtime& runtime, ClientSessionOwner& owner, const ClientSessionOptions& options);
  ~ClientSession() override;

  /// The other end. `connection` is its context: bytes sent and times are read from its upstream part.
  void attach(flow::Sink& wire, flow::Context& connection);
  flow::Context* connection() const { return connection_.get(); }
  ClientSessionOwner& owner() const { return owner_; }
  /// The valves of the wire: the first is held by it, the second by this session.
  flow::Valve& wire_input() { return wire_input_; }
  flow::Valve& wire_output() { return wire_output_; }

  /// True when a request of this kind may begin now.
  bool accepts(bool is_idempotent) const;
  /// Nothing is under way.
  bool is_idle() const { return slots_.empty() && !is_closing_; }
  bool is_closing() const { return is_closing_; }
  size_t active() const { return slots_.size(); }
  /// Exchanges begun so far.
  uint64_t messages() const { return messages_; }
  Instant idle_since() const { return last_activity_; }
  /// How long the other side keeps an idle connection, less a margin; Duration::max() when it did not say.
  Duration idle_max() const { return idle_max_; }
  /// It was connected ahead of its first request, and has waited: it may be stale as a used one may.
  void note_waited() { has_waited_ = true; }
  /// Why it ended before it carried anything; null otherwise.
  const Error* early_error() const { return early_error_.get(); }

  /// What ended it.
  enum class End : uint8_t {
    Other,
    ClosedIdle,      // by the other side, while nothing was asked
    UnexpectedData,  // bytes came that nobody had asked for
  };
  End end() const { return end_; }

  /// Somebody was given it who has not begun yet, or has a last look at it: it is nobody else's meanwhile.
  void reserve() { is_reserved_ = true; }
  void end_reservation() { is_reserved_ = false; }
  bool is_reserved() const { return is_reserved_; }

  /// Begins an exchange, and with it ends the reservation: writes the head. accepts() must hold.
  void begin(ClientExchange& exchange, const message::RequestHead& head);
  void send(ClientExchange& exchange, flow::Event&& event);
  /// Nobody wants the response any more. The rest is read and dropped to keep the connection where its length
  /// is known and at most limits::drain_bytes_max, for at most limits::drain_timeout; else it closes.
  /// Requests behind it are bystanders then.
  void abandon(ClientExchange& exchange);
  /// Ends now: what is under way fails with `error`.
  void cut(const Error& error) { lost(error); }
  /// Takes no more requests; ends when those under way are done.
  void drain();
  /// The valve of the exchange's response changed.
  void on_response_valve(ClientExchange& exchange);

 private:
  struct Slot {
    ClientExchange* exchange;  // null when abandoned
    uint64_t given_before;     // bytes given to the wire before this request
    Instant begun;
    http::UpgradeOffer offer;
    enum class Asks : uint8_t { Body, Head, Connect } asks;
    bool is_idempotent;
    bool was_reused;
    message::BodyKind request_body;
    bool request_done = false;
    bool response_begun = false;
    uint8_t interims = 0;
  };

  void on_event(flow::Event&& event) override;
  void on_valve_changed(flow::Valve& valve) override;
  /// Who brought about the end of the connection: the front exchange may get the error, the others never do.
  enum class Cause : uint8_t { Front, Nobody };

  void refuse_early_bytes();
  bool is_stale() const;
  void give_scratch();
  void give_first();
  void note_bytes(size_t bytes);
  void drop_early_bytes();
  void release_request(const ClientExchange& exchange);
  void pump();
  void take_head(Ref<message::Head> head);
  void take_body(buffer::Slice bytes);
  void take_end(Ref<message::Trailers> trailers);
  void end_tunnel();
  void lost(const Error& error, Cause cause = Cause::Front);
  void fail_slot(const Slot& slot, const Error& error, Cause cause);
  void limit_drain();
  void stop_drain();
  void finish();
  void become_available();
  void move_followers();
  void update_holds();
  void on_timer();
  void arm_timer();
  Slot* slot_of(ClientExchange& exchange);
  void expect_front();
  bool front_is_held() const;
  bool is_front_late() const;

  flow::Runtime& runtime_;
  ClientSessionOwner& owner_;
  const ClientSessionOptions options_;
  flow::Sink* wire_ = nullptr;
  Ref<flow::Context> connection_;
  flow::Valve wire_input_;
  flow::Valve wire_output_;
  flow::Hold wire_output_hold_;
  flow::Hold unsent_hold_;
  flow::Hold request_hold_;
  ClientExchange* held_exchange_ = nullptr;
  std::vector<Slot> slots_;  // in the order of the requests; short, so erasing at the front is cheap
  http::H1Parser parser_{http::Kind::Response};
  buffer::Buffer
      scratch_;  // what is being written; empty between calls unless is_unsent_, its capacity stays
  uint64_t given_bytes_ = 0;
  uint64_t messages_ = 0;
  uint64_t body_left_ = 0;  // of the front's response; UINT64_MAX: nobody knows
  size_t dropped_bytes_ = 0;
  uint64_t heard_turn_ = 0;  // the last turn that brought bytes, and how many
  size_t heard_bytes_ = 0;
  uint8_t held_looks_ = 0;       // of the timer in a row that found the front's answer held
  bool is_unsent_ = false;       // the first request on an idle connection is still in scratch_
  bool is_closing_ = false;      // takes no more requests
  bool is_last_answer_ = false;  // the front's answer ends the connection
  bool is_finished_ = false;
  bool is_tunnel_ = false;
  bool is_pumping_ = false;
  bool has_ended_ = false;  // the wire's FIN came
  bool has_waited_ = false;
  bool is_reserved_ = false;
  bool asks_wire_ = false;  // is it still there, before the first request goes to it
  End end_ = End::Other;
  Duration idle_max_ = Duration::max();
  std::unique_ptr<Error> early_error_;
  Instant last_activity_;
  loop::MemberTask<ClientSession, &ClientSession::pump> pump_task_{*this};
  loop::MemberTask<ClientSession, &ClientSession::become_available> available_task_{*this};
  loop::MemberTask<ClientSession, &ClientSession::give_first> give_task_{*this};
  loop::MemberTimer<ClientSession, &ClientSession::on_timer> timer_{*this};
  loop::MemberTimer<ClientSession, &ClientSession::stop_drain> drain_timer_{*this};
};

}  // namespace perilune::upstream
