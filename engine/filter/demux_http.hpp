#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <memory>

#include "base/pooled.hpp"
#include "filter/registry.hpp"
#include "flow/access_log.hpp"
#include "http/h1_parser.hpp"

namespace perilune::filter {

class DemuxHttp;
class DemuxStream;

/// `demuxHTTP(p, options)`: the server's side of HTTP/1 connections. Bytes become requests; each runs in a
/// pipeline of `p` with a context of its own, all at once; answers go back in the order of the requests.
class DemuxHttpPlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }
  void each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const override {
    visit(*target);
  }

  Services* services = nullptr;
  /// What a response is written to before it goes out; empty between calls, its capacity stays.
  mutable buffer::Buffer scratch;
  Ref<flow::PipelinePlan> target;
  Ref<flow::Hook> error_page;
  uint64_t messages_max = 0;
  size_t pipelined_max = limits::pipelined_requests_max;
  http::ParserLimits parser_limits;
  bool allows_connect = false;
};

/// One request of a connection and the way of its answer back: while its turn has not come the answer waits
/// here, up to a bound, then the answer's valve is held.
class DemuxStream final : public Object,
                          public Pooled<DemuxStream>,
                          public flow::Sink,
                          public flow::ExchangeControl,
                          public boost::intrusive::list_base_hook<> {
 public:
  explicit DemuxStream(DemuxHttp& demux) : demux_(&demux), request_watcher_(*this) {}

  void start(Ref<message::RequestHead> head);
  void feed(flow::Event&& event);
  /// Its turn to write: what waited goes out.
  void become_front();
  void set_held(bool is_held);
  void end(const Error* error);
  /// Answers by itself, without a pipeline's help (a malformed request, a forbidden method).
  void answer_error(const Error& error);

 private:
  friend class DemuxHttp;
  /// The request's valve is watched for the demux, the response's is held by it.
  class RequestWatcher final : public flow::ValveWatcher {
   public:
    explicit RequestWatcher(DemuxStream& stream) : stream_(stream) {}
    void on_valve_changed(flow::Valve& valve) override;

   private:
    DemuxStream& stream_;
  };

  void on_event(flow::Event&& event) override;
  void ask_for_body() override;
  bool has_waiting() const { return !waiting_.empty() || !waiting_body_.empty(); }
  bool may_write_at_once(const flow::Event& event) const;
  void drop_waiting();
  void write(flow::Event&& event);
  void write_head(Ref<message::Head> head);
  void write_end(flow::Event&& event);
  void fail(const Error& error);
  /// The line of the access log begins, where there is one, and ends.
  void open_record();
  void close_record(const Error* error);

  DemuxHttp* demux_;
  RequestWatcher request_watcher_;
  flow::Valve request_valve_;
  flow::Valve response_valve_;
  flow::Hold response_hold_;
  Ref<message::RequestHead> request_;
  Ref<flow::Context> context_;
  Ref<flow::Pipeline> pipeline_;
  flow::AccessLog::Record* record_ = nullptr;
  /// What came before its turn: heads and ends, and the body, which lies between the last head and the end.
  boost::container::small_vector<flow::Event, 2> waiting_;
  buffer::Buffer waiting_body_;
  message::BodyKind body_ = message::BodyKind::None;
  uint64_t body_left_ = 0;
  bool is_front_ = false;
  bool request_done_ = false;
  bool response_begun_ = false;  // the final head was written
  bool response_done_ = false;
  bool saw_response_head_ = false;
  bool sent_continue_ = false;
  bool asked_for_body_ = false;
  bool closes_ = false;      // the connection ends with this answer
  uint64_t sent_bytes_ = 0;  // of the answer's body
  bool is_tunnel_ = false;
  bool offers_upgrade_ = false;
  /// As it came by wire: what may follow the answer's head goes by that, whatever a script makes of the
  /// method.
  std::string_view method_ = "GET";
  bool is_logged_ = false;
};

class DemuxHttp final : public flow::Filter, public flow::ValveWatcher {
 public:
  explicit DemuxHttp(const DemuxHttpPlan& plan) : plan_(plan) {}

 private:
  friend class DemuxStream;
  void on_start() override;
  void on_event(flow::Event&& event) override;
  void on_stop() override;
  void on_reset() override;
  void on_valve_changed(flow::Valve& valve) override;
  bool end_if_idle(Instant since) override;
  bool is_movable() const override { return !is_closed_ && !has_tunnel_ && !stops_parsing_ && !input_ended_; }
  bool leave(flow::Leaving how) override;
  void take_unused(buffer::Buffer& unused) override;

  void pump();
  /// Goes on where it stopped, in this turn or, after a rest, in the next.
  void pump_again();
  /// No message is begun, and no byte of the next one has come.
  bool is_between_messages() const {
    return !parser_ || (parser_->at_boundary() && parser_->buffered() == 0);
  }
  /// Nothing is under way. Bytes of the next message may have come.
  bool is_at_rest() const { return is_movable() && streams_.empty() && (!parser_ || parser_->at_boundary()); }
  void begin_request(Ref<message::RequestHead> head);
  void refuse(const Error& error);
  void end_request(Ref<message::Trailers> trailers);
  void drop_body(size_t bytes);
  /// The final answer to a request that offered another protocol: a tunnel begins, or parsing goes on.
  void end_upgrade(DemuxStream& stream);
  void settle();
  void retire_front(const Error* error);
  void close_connection();
  void cut(const Error& error);
  bool may_parse() const;
  void update_hold();
  void send_scratch();
  void log_failure(const Error& error, const message::RequestHead* request, int status);
  void on_timer();
  void arm_timer();
  void note_time();

  const DemuxHttpPlan& plan_;
  /// None between messages: an idle connection keeps no parser.
  std::unique_ptr<http::H1Parser> parser_;
  boost::intrusive::list<DemuxStream, boost::intrusive::constant_time_size<false>> streams_;
  uint32_t streams_count_ = 0;
  uint32_t dropped_bytes_ = 0;
  Ref<DemuxStream> receiving_;  // whose request's body is being read
  flow::Hold input_hold_;
  uint64_t messages_ = 0;
  uint64_t body_bytes_ = 0;
  Instant since_{};  // when this phase began, or its last byte came
  Instant body_since_{};
  uint32_t waiting_bytes_ = 0;  // of answers whose turn has not come
  enum class Phase : uint8_t { FirstHead, Head, Body, Busy, Idle } phase_ = Phase::FirstHead;
  bool is_pumping_ : 1 = false;
  bool was_blocked_ : 1 = false;  // parsing stopped though bytes may be there
  bool input_ended_ : 1 = false;
  bool stops_parsing_ : 1 = false;  // no more requests: closing, a tunnel, or out of step
  bool is_closed_ : 1 = false;
  bool has_tunnel_ : 1 = false;
  bool awaits_upgrade_ : 1 = false;
  bool has_last_ : 1 = false;    // a request came that ends the connection
  bool is_resting_ : 1 = false;  // it had its share of this turn
  bool is_last_ : 1 = false;     // its output runs nobody's script
  bool is_moving_ : 1 = false;   // it begins nothing more: another pipeline will
  bool is_closing_ : 1 = false;  // the next request is the last one
  loop::MemberTask<DemuxHttp, &DemuxHttp::pump_again> pump_task_{*this};
  loop::MemberTask<DemuxHttp, &DemuxHttp::settle> settle_task_{*this};
  loop::MemberTimer<DemuxHttp, &DemuxHttp::on_timer> timer_{*this};
};

}  // namespace perilune::filter
