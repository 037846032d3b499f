#pragma once

#include <boost/container/small_vector.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/object.hpp"
#include "base/place.hpp"
#include "base/surplus.hpp"
#include "buffer/buffer.hpp"
#include "flow/context.hpp"
#include "flow/event.hpp"
#include "flow/hook.hpp"
#include "flow/valve.hpp"
#include "loop/loop.hpp"

namespace perilune::flow {

class Filter;
class Pipeline;
class PipelinePlan;
class Tracer;

/// What every pipeline of a worker stands on.
struct Runtime {
  loop::Loop& loop;
  buffer::ChunkPool& chunks;
  buffer::ReadArena& arena;
  /// Sees what passes; null outside of tests. It is there before the first pipeline, and outlives all.
  Tracer* tracer = nullptr;
};

/// Which part of its pipeline a filter belongs to: before the answering filter it sees requests, behind it
/// what comes back.
enum class FlowSide : uint8_t { Request, Response };

/// What a pipeline carries where it begins.
enum class Carrier : uint8_t { Bytes, Messages };
constexpr uint8_t bit_of(Carrier carrier) { return carrier == Carrier::Bytes ? 1 : 2; }

/// The recipe of one filter: its options, and where the script asked for it. Constant after linking.
class FilterPlan {
 public:
  virtual ~FilterPlan() = default;
  virtual std::unique_ptr<Filter> make() const = 0;
  /// This filter gives the answer: what is behind it sees responses.
  virtual bool answers() const { return false; }
  /// It may answer, as its function decides: where no other filter answers, it does.
  virtual bool may_answer() const { return answers(); }
  /// It watches for the begin of the answer, or takes the answer over.
  virtual bool watches_answer() const { return false; }
  /// Pipelines that this filter leads to, for graphs and checks.
  virtual void each_target(const std::function<void(const PipelinePlan&)>&) const {}

  /// The program was replaced and ends when the last of its clients has gone: nothing is kept for coming
  /// instances.
  virtual void retire() {}
  /// The program is over: what the plan keeps for coming instances (idle connections) is closed.
  virtual void drain() {}

  /// As the script calls it, e.g. "muxHTTP".
  std::string name;
  Place place;
};

/// What a pipeline is run for: it decides when filters that reach out begin.
enum class Role : uint8_t {
  Session,     // an accepted connection: they begin at once, because some servers speak first
  Message,     // a request: they begin with its first event
  Connection,  // an upstream connection: it is wanted now
};

/// The recipe of a pipeline and the instances that are free for reuse. One per worker.
class PipelinePlan final : public Object {
 public:
  PipelinePlan(Runtime& runtime, std::string name, Place place);
  ~PipelinePlan() override;

  void add(std::unique_ptr<FilterPlan> filter);
  const std::vector<std::unique_ptr<FilterPlan>>& filters() const { return filters_; }
  /// What it can begin with, as bit_of; the check of the program says it.
  uint8_t takes = bit_of(Carrier::Bytes) | bit_of(Carrier::Messages);
  /// Its `next` carries the other kind than it begins with: it decodes or encodes in between.
  bool changes_carrier = false;
  /// Empty for an anonymous one.
  const std::string& name() const { return name_; }
  const Place& place() const { return place_; }
  /// Where it is defined, when it was referred to before.
  void set_place(const Place& place) { place_ = place; }
  Runtime& runtime() const { return runtime_; }
  /// The position of the filter that answers; none when nobody does.
  std::optional<size_t> answering_filter() const;

  /// Lets go of the filters, and so of what they lead to: plans may lead to each other in a circle. For the
  /// end of a program, when nothing of it runs.
  void dismantle();
  /// Lets go of free instances that nobody needed since the last call.
  void give_back_surplus();
  /// Instances that run now; 0 when everything ended clean.
  size_t alive() const { return alive_; }

 private:
  friend class Pipeline;
  Runtime& runtime_;
  std::string name_;
  Place place_;
  std::vector<std::unique_ptr<FilterPlan>> filters_;
  void drop_free(size_t count);

  std::vector<Pipeline*> free_;
  Surplus surplus_;
  size_t alive_ = 0;
  Ref<PipelinePlan> self_while_alive_;  // for all instances together
};

/// How a client's connection leaves its pipeline, whose script was replaced or ends.
enum class Leaving : uint8_t {
  Move,   // to another pipeline, as soon as it waits for its client's next message
  Close,  // its next answer says that the connection closes behind it
};

/// The rest of a chain of pipelines, as one of them sees it: the next one and those behind it.
struct Rest {
  std::span<const Ref<PipelinePlan>> pipelines;  // never empty
  /// What the last of them sees: the rest of the chain that this one is part of; null where there is none.
  const Rest* outer = nullptr;
};

/// Where a pipeline is plugged in.
struct PipelineEnds {
  /// Held by the pipeline when it has enough; whoever feeds it watches.
  Valve& input;
  /// Held by the consumer; the filter that answers watches.
  Valve& output;
  /// Takes what comes out. May end the pipeline from within.
  Sink& sink;
  Role role = Role::Message;
};

/// A running pipeline. Its owner feeds it with on_event and ends it; after end() nothing comes out any more,
/// and when the turn is over the instance goes back to its plan.
class Pipeline final : public Object, public Sink {
 public:
  /// A pipeline that waits for start(): its owner holds it before anything in it runs.
  static Ref<Pipeline> create(PipelinePlan& plan, Ref<Context> context, PipelineEnds ends);
  /// Tells every filter that it begins, in order. May end the pipeline.
  void start();
  /// A filter that is being started has to wait before those behind it may begin.
  void pause_start() { start_paused_ = true; }
  bool is_start_paused() const { return start_paused_; }
  void resume_start();
  Role role() const { return role_; }

  /// True once the head of the answer came out of the filter that answers; only where a filter watches for
  /// it.
  bool answer_begun() const { return answer_gate_ && answer_gate_->begun; }
  /// Stops the filters up to the one that answers: what they still give is dropped. The answer comes from
  /// elsewhere.
  void cancel_answer();

  void on_event(Event&& event) override;
  /// Ends it, exactly once: first all waits are called off and everything inside ends (`on_stop`), then the
  /// end handlers run (`on_end`), from the last filter to the first. `error` says what cut it, null when it
  /// ended well.
  void end(const Error* error);
  bool is_ended() const { return state_ != State::Running; }
  /// What cut it, while it is being ended; null when it ended well.
  const Error* end_error() const { return end_error_; }
  /// A filter has output of its own to finish (bytes for an upstream) though all input has come: the owner
  /// lets the pipeline live until is_quiet(), and `watcher` is deferred when that becomes true.
  void begin_stay() { ++whole().stays_; }
  void end_stay();
  bool is_quiet() const { return stays_ == 0; }
  void watch_quiet(loop::Task* watcher) { quiet_watcher_ = watcher; }
  /// This one continues `pipeline` (route, use, next), whose owner waits for both.
  void continue_from(Pipeline& pipeline) {
    continued_ = &pipeline;
    rest_ = pipeline.rest_;
    depth_ = static_cast<uint16_t>(pipeline.depth_ + 1);
  }
  /// How many pipelines it continues, one after the other.
  uint16_t depth() const { return depth_; }
  /// It is part of a chain, and this is what comes behind it; null: nothing. `rest` outlives the pipeline.
  void set_rest(const Rest* rest) { rest_ = rest; }
  const Rest* rest() const { return rest_; }
  /// Asks its filters to end it if it has only waited for its client since `since`; whether one did.
  bool end_if_idle(Instant since);
  /// The client can be handed to another pipeline between two messages without noticing: no filter has to do
  /// with anything but whole messages.
  bool is_movable() const;
  /// For a client's pipeline. Move: true when it is at rest already; else it begins nothing new, and the
  /// client is told by ClientInfo::on_rest when it is. Close: it closes by itself.
  bool leave(Leaving how);
  /// At rest: the bytes that were read and belong to messages which were not begun.
  buffer::Buffer take_unused();
  /// A filter inside wants no more input: what still comes is dropped, and its owner may linger and close.
  void stop_input() { wants_input_ = false; }
  bool wants_input() const { return wants_input_; }

  Context& context() const { return *context_; }
  Ref<Context> share_context() const { return context_; }
  Valve& input_valve() const { return *input_; }
  Valve& output_valve() const { return *output_; }
  const PipelinePlan& plan() const { return plan_; }
  Runtime& runtime() const { return plan_.runtime(); }

 private:
  friend class Filter;
  friend class PipelinePlan;
  enum class State : uint8_t { Free, Running, Ended };
  /// Takes what the last filter gives.
  class Outlet final : public Sink {
   public:
    explicit Outlet(Pipeline& pipeline) : pipeline_(pipeline) {}
    void on_event(Event&& event) override {
      if (pipeline_.state_ == State::Running) pipeline_.sink_->on_event(std::move(event));
    }

   private:
    Pipeline& pipeline_;
  };

  /// Behind the filter that answers, where somebody watches.
  class AnswerGate final : public Sink {
   public:
    void on_event(Event&& event) override {
      if (is_closed) return;
      if (event.is_message_start() && !event.is_interim()) begun = true;
      next->on_event(std::move(event));
    }
    Sink* next = nullptr;
    bool begun = false;
    bool is_closed = false;
  };

  Pipeline& whole() { return continued_ ? continued_->whole() : *this; }

  explicit Pipeline(PipelinePlan& plan);
  ~Pipeline() override;
  void connect_filters();
  void on_unreferenced() noexcept override;

  PipelinePlan& plan_;
  boost::container::small_vector<std::unique_ptr<Filter>, 1> filters_;
  Outlet outlet_;
  Sink* first_ = nullptr;
  Ref<Context> context_;
  Valve* input_ = nullptr;
  Valve* output_ = nullptr;
  Sink* sink_ = nullptr;
  Sink* answer_sink_ = nullptr;
  const Error* end_error_ = nullptr;
  Pipeline* continued_ = nullptr;
  const Rest* rest_ = nullptr;
  loop::Task* quiet_watcher_ = nullptr;
  std::unique_ptr<AnswerGate> answer_gate_;  // where somebody watches
  uint32_t stays_ = 0;
  State state_ = State::Free;
  Role role_ = Role::Message;
  bool wants_input_ = true;
  bool start_paused_ = false;
  uint16_t depth_ = 0;
  uint16_t started_ = 0;
  uint16_t answer_index_ = 0;
};

/// One step of a running pipeline. State lives in members, configuration in the plan; instances are reused,
/// so on_reset brings every member back to what the constructor made.
class Filter : public Sink {
 public:
  virtual ~Filter() = default;

 protected:
  /// The pipeline begins, before any event: sessions start here, and relays dial here.
  virtual void on_start() {}
  /// The pipeline is over: call off waits, end sub-pipelines. Nothing may be output from here on.
  virtual void on_stop() {}
  /// Called once after every filter was stopped, with what cut the pipeline or null.
  virtual void on_end(const Error*) {}
  virtual void on_reset() {}
  /// Room is needed for newcomers: a filter that has waited since `since` or longer for its client's next
  /// message, or for the first, ends the stream and says so.
  virtual bool end_if_idle(Instant) { return false; }
  /// See Pipeline::is_movable, leave and take_unused.
  virtual bool is_movable() const { return false; }
  virtual bool leave(Leaving) { return true; }
  virtual void take_unused(buffer::Buffer&) {}

  /// Gives an event to the next filter, or out of the pipeline behind the last one.
  void output(Event&& event) { next_->on_event(std::move(event)); }
  /// Gives an early answer: it comes out behind the filter that answers in this pipeline.
  void answer(Event&& event) { pipeline_->answer_sink_->on_event(std::move(event)); }
  /// Leaves the pipeline past all the filters behind.
  void output_from_pipeline(Event&& event) { pipeline_->outlet_.on_event(std::move(event)); }
  /// No filter is behind: output leaves the pipeline.
  bool is_last() const { return pipeline_->filters_.back().get() == this && !pipeline_->answer_gate_; }
  Sink& next_sink() const { return *next_; }
  Sink& answer_sink() const { return *pipeline_->answer_sink_; }
  /// Gives up: what is behind sees this direction cut.
  void fail(Error error);

  Pipeline& pipeline() const { return *pipeline_; }
  Context& context() const { return pipeline_->context(); }
  loop::Loop& loop() const { return pipeline_->runtime().loop; }
  buffer::ChunkPool& chunks() const { return pipeline_->runtime().chunks; }
  bool is_ended() const { return pipeline_->is_ended(); }
  /// The valve of the direction that this filter's input belongs to.
  Valve& input_valve() const {
    return side_ == FlowSide::Request ? pipeline_->input_valve() : pipeline_->output_valve();
  }
  Valve& output_valve() const { return pipeline_->output_valve(); }

 private:
  friend class Pipeline;
  Pipeline* pipeline_ = nullptr;
  Sink* next_ = nullptr;
  FlowSide side_ = FlowSide::Request;
};

}  // namespace perilune::flow
