#pragma once

#include <memory>
#include <string_view>

#include "flow/hook.hpp"
#include "upstream/cluster.hpp"

namespace perilune::upstream {

class Attempt;

struct AttemptFailure {
  Error error;
  /// The kernel took at least one byte of the request.
  bool was_written = false;
  /// A connection that had waited or served before ended without an answer.
  bool was_stale = false;
  /// Nothing is wrong with the request: it is asked to go to another connection.
  bool is_moved = false;
};

class AttemptOwner {
 public:
  /// It has a connection: send the request by begin().
  virtual void on_attempt_ready(Attempt& attempt) = 0;
  virtual void on_attempt_event(Attempt& attempt, flow::Event&& event) = 0;
  /// It is over without an answer. May come from within the pool's work: what follows is to be deferred.
  virtual void on_attempt_failed(Attempt& attempt, const AttemptFailure& failure) = 0;
  virtual flow::Valve& request_valve() = 0;
  virtual bool is_response_held() const = 0;
  virtual Cluster& cluster() = 0;

 protected:
  ~AttemptOwner() = default;
};

/// One try of a request: a lease of a connection to one endpoint, the hooks that see it, and the exchange on
/// it. Used again and again.
class Attempt final : public ClientExchange, public PoolWaiter, public flow::HookHandler {
 public:
  explicit Attempt(AttemptOwner& owner) : owner_(owner) {}
  ~Attempt() { stop(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  enum class Stage : uint8_t { Free, Leasing, Hooks, Ready, Sent, Answering };
  Stage stage() const { return stage_; }
  bool is_running() const { return stage_ != Stage::Free; }

  struct Wish {
    std::string_view tag;
    uint32_t tenant;
    flow::Context* opener;
    Instant deadline;
    Duration timeout;
    bool is_idempotent;
    bool needs_fresh;
    bool is_hedge;
  };
  /// Asks for a connection to `endpoint`; it may be Ready when this returns. Errors: those of Cluster::lease.
  Result<void> start(Endpoint& endpoint, const Wish& wish);
  /// Sends the head; stage() is Ready.
  void begin(const message::RequestHead& head);
  void send(flow::Event&& event);
  void on_response_valve();
  /// Wants nothing any more: a connection of which nothing was asked is put back, an exchange is abandoned.
  void stop();

  Endpoint& endpoint() const { return *endpoint_; }
  ClientSession* session() const { return session_; }
  bool is_reused() const { return is_reused_; }
  bool is_hedge() const { return is_hedge_; }
  Instant begun() const { return begun_; }

 private:
  // ClientExchange
  void on_response(flow::Event&& event) override;
  void on_exchange_failed(ExchangeFailure failure) override;
  flow::Valve& request_valve() override { return owner_.request_valve(); }
  bool is_response_held() const override { return owner_.is_response_held(); }
  // PoolWaiter
  void on_session(ClientSession& session, bool is_reused) override;
  void on_pool_failed(const Error& error) override;
  // HookHandler
  void on_hook_done(flow::HookCall& call) override;

  void take(ClientSession& session, bool is_reused);
  /// Runs what hooks are left; false when one has to wait, or the attempt failed.
  bool run_hooks();
  bool judge_hook();
  void fail_ended();
  void note_wait_over();
  void on_timeout();
  void fail(const AttemptFailure& failure);
  void end();

  AttemptOwner& owner_;
  Endpoint* endpoint_ = nullptr;
  ClientSession* session_ = nullptr;
  Ref<PooledConnection> looked_at_;  // by hooks: it may end meanwhile
  Stage stage_ = Stage::Free;
  enum class HookStep : uint8_t { Validate, Lease, Done } hook_step_ = HookStep::Done;
  bool is_reused_ = false;
  bool is_hedge_ = false;
  bool is_waiting_counted_ = false;
  Duration idle_age_{};  // of the connection, when it was leased
  Instant begun_{};
  std::unique_ptr<flow::HookCall> call_;  // made when a cluster has hooks
  loop::MemberTimer<Attempt, &Attempt::on_timeout> timer_{*this};
};

}  // namespace perilune::upstream
