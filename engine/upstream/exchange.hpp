#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "upstream/attempt.hpp"
#include "upstream/kept_request.hpp"

namespace perilune::upstream {

/// What one request goes by, options that were functions having been asked.
struct ExchangePlan {
  /// To the answer's head, waits and all tries included.
  Duration timeout = Duration::max();
  /// The same for each try.
  Duration try_timeout = Duration::max();
  std::optional<uint64_t> key = {};       ///< for balancing by hash
  std::optional<uint64_t> identity = {};  ///< of the endpoint that is preferred, or pinned
  bool is_pinned = false;
  /// Connections of one tag are not given to another.
  std::string tag = {};
  /// Those who wait for a connection take turns by it; 0: none.
  uint32_t tenant = 0;
  enum class Host : uint8_t { Client, Endpoint, Fixed } host = Host::Client;
  std::string host_name = {};
  const RetryOptions* retry = nullptr;  ///< null: none
  const HedgeOptions* hedge = nullptr;  ///< null: none
};

/// Who sends a request to a cluster.
class ExchangeOwner {
 public:
  /// The response: interim heads, head, data, end. A tunnel ends with a MessageEnd.
  virtual void on_exchange_event(flow::Event&& event) = 0;
  /// No answer began, and none will.
  virtual void on_exchange_failed(const Error& error) = 0;
  virtual flow::Valve& request_valve() = 0;
  virtual bool is_response_held() const = 0;
  virtual flow::Context& exchange_context() = 0;

 protected:
  ~ExchangeOwner() = default;
};

/// One request to a cluster and its one answer, whatever it takes: a choice of endpoint, a wait for a
/// connection, tries one after the other (retries) or side by side (hedges). Used again and again.
/// Errors: those of ConnectionPool and connect, NoEndpoint, Overflow, RequestTimeout, TryTimeout.
///
/// What may be sent again: what is idempotent (RFC 9110 section 9.2.2) or of which no byte was written, while
/// its body so far is kept (`body_bytes_max`). A connection that had waited or served before and ends without
/// an answer is replaced once by a fresh one, which counts neither as a try nor against the endpoint.
class Exchange final : public AttemptOwner, public MembersWaiter {
 public:
  Exchange(flow::Runtime& runtime, ExchangeOwner& owner) : runtime_(runtime), owner_(owner) {}
  ~Exchange() { stop(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Begins. The owner may be told of a failure from within.
  void start(Ref<Cluster> cluster, Ref<message::RequestHead> head, ExchangePlan plan);
  /// Data and the end of the request.
  void send(flow::Event&& event);
  /// The valve of the response changed.
  void on_response_valve();
  /// Nobody wants the answer any more, or it is over.
  void stop();
  bool is_running() const { return cluster_ != nullptr; }
  /// The name of the endpoint that was asked last; empty before.
  const std::string& endpoint() const { return last_endpoint_; }
  uint64_t endpoint_identity() const { return last_identity_; }

 private:
  // AttemptOwner
  void on_attempt_ready(Attempt& attempt) override;
  void on_attempt_event(Attempt& attempt, flow::Event&& event) override;
  void on_attempt_failed(Attempt& attempt, const AttemptFailure& failure) override;
  flow::Valve& request_valve() override { return owner_.request_valve(); }
  bool is_response_held() const override { return owner_.is_response_held(); }
  Cluster& cluster() override { return *cluster_; }
  // MembersWaiter
  void on_members() override;

  enum class Kind : uint8_t { First, Retry, Again, Hedge };
  void begin_try(Kind kind);
  void begin_try_now() { begin_try(next_kind_); }
  void begin_try_later(Kind kind);
  Attempt& free_attempt();
  bool has_running() const;
  bool may_repeat(bool was_written) const;
  bool may_retry(const AttemptFailure& failure) const;
  bool retries_answer(const message::ResponseHead& head) const;
  void retry_after(std::optional<Duration> wished);
  void send_kept(Attempt& attempt);
  void settle_kept();
  void set_host(const Endpoint& endpoint);
  void take_answer(Attempt& attempt, flow::Event&& event);
  void stop_others(const Attempt* winner);
  void on_timeout();
  void on_hedge_due();
  void on_dial_hedge_due();
  void arm_hedges();
  void fail(Error error);
  void finish();

  flow::Runtime& runtime_;
  ExchangeOwner& owner_;
  Ref<Cluster> cluster_;
  Ref<message::RequestHead> head_;
  ExchangePlan plan_;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // kept for reuse
  std::vector<Endpoint*> tried_;
  Endpoint* again_ = nullptr;  // where Kind::Again goes
  Attempt* winner_ = nullptr;
  std::string last_endpoint_;
  uint64_t last_identity_ = 0;
  KeptRequest kept_;
  flow::Hold input_hold_;
  uint32_t tries_ = 0;  // that count
  uint32_t hedges_ = 0;
  uint32_t retries_held_ = 0;  // of the cluster's budget
  uint32_t moves_ = 0;
  Kind next_kind_ = Kind::First;
  bool keeps_ = true;
  bool is_idempotent_ = false;
  bool has_replaced_stale_ = false;
  bool has_asked_for_body_ = false;  // a 100 was passed on
  bool is_answered_ = false;
  Instant begun_{};
  loop::MemberTimer<Exchange, &Exchange::on_timeout> timeout_timer_{*this};
  loop::MemberTimer<Exchange, &Exchange::begin_try_now> retry_timer_{*this};
  loop::MemberTask<Exchange, &Exchange::begin_try_now> retry_task_{*this};
  loop::MemberTimer<Exchange, &Exchange::on_hedge_due> hedge_timer_{*this};
  loop::MemberTimer<Exchange, &Exchange::on_dial_hedge_due> dial_hedge_timer_{*this};
};

}  // namespace perilune::upstream
