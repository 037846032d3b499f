#include "flow/pipeline.hpp"

#include <algorithm>

#include "flow/tracer.hpp"

namespace perilune::flow {
namespace {

constexpr size_t pooled_instances_max = 1024;  // of one plan: instances beyond a burst go back to the heap

}  // namespace

PipelinePlan::PipelinePlan(Runtime& runtime, std::string name, Place place)
    : runtime_(runtime), name_(std::move(name)), place_(std::move(place)) {}

PipelinePlan::~PipelinePlan() { dismantle(); }

void PipelinePlan::dismantle() {
  PERILUNE_EXPECT(alive_ == 0, "a program ends after its pipelines");
  drop_free(free_.size());
  filters_.clear();
}

void PipelinePlan::drop_free(size_t count) {
  for (; count > 0; --count) {
    delete free_.back();
    free_.pop_back();
  }
}

void PipelinePlan::give_back_surplus() { drop_free(surplus_.take(free_.size())); }

void PipelinePlan::add(std::unique_ptr<FilterPlan> filter) { filters_.push_back(std::move(filter)); }

std::optional<size_t> PipelinePlan::answering_filter() const {
  for (size_t i = 0; i < filters_.size(); ++i)
    if (filters_[i]->answers()) return i;
  for (size_t i = filters_.size(); i-- > 0;)
    if (filters_[i]->may_answer()) return i;
  return std::nullopt;
}

Pipeline::Pipeline(PipelinePlan& plan) : plan_(plan), outlet_(*this) {
  const auto answering = plan.answering_filter();
  answer_index_ = static_cast<uint16_t>(answering.value_or(plan.filters().size()));
  bool is_watched = false;
  filters_.reserve(plan.filters().size());
  for (const auto& filter_plan : plan.filters()) {
    filters_.push_back(filter_plan->make());
    filters_.back()->pipeline_ = this;
    filters_.back()->side_ =
        filters_.size() <= answer_index_ + size_t{1} ? FlowSide::Request : FlowSide::Response;
    is_watched = is_watched || filter_plan->watches_answer();
  }
  connect_filters();
  answer_sink_ = answering ? filters_[answer_index_]->next_ : &outlet_;
  if (answering && is_watched) {
    answer_gate_ = std::make_unique<AnswerGate>();
    answer_gate_->next = answer_sink_;
    filters_[answer_index_]->next_ = answer_gate_.get();
  }
}

Pipeline::~Pipeline() = default;

void Pipeline::connect_filters() {
  Tracer* tracer = runtime().tracer;
  Sink* next = &outlet_;
  if (tracer) next = &tracer->tap(*this, filters_.size(), *next);
  for (size_t i = filters_.size(); i-- > 0;) {
    filters_[i]->next_ = next;
    next = filters_[i].get();
    if (tracer) next = &tracer->tap(*this, i, *next);
  }
  first_ = next;
}

Ref<Pipeline> Pipeline::create(PipelinePlan& plan, Ref<Context> context, PipelineEnds ends) {
  Pipeline* instance = nullptr;
  if (plan.free_.empty()) {
    instance = new Pipeline(plan);
  } else {
    instance = plan.free_.back();
    plan.free_.pop_back();
    plan.surplus_.note_taken(plan.free_.size());
  }
  Ref<Pipeline> pipeline(instance);
  if (plan.alive_++ == 0) plan.self_while_alive_ = Ref<PipelinePlan>(&plan);
  pipeline->context_ = std::move(context);
  pipeline->input_ = &ends.input;
  pipeline->output_ = &ends.output;
  pipeline->sink_ = &ends.sink;
  pipeline->state_ = State::Running;
  pipeline->role_ = ends.role;
  pipeline->wants_input_ = true;
  pipeline->start_paused_ = false;
  pipeline->started_ = 0;
  pipeline->stays_ = 0;
  pipeline->quiet_watcher_ = nullptr;
  pipeline->continued_ = nullptr;
  pipeline->rest_ = nullptr;
  pipeline->depth_ = 0;
  if (AnswerGate* gate = pipeline->answer_gate_.get()) gate->begun = gate->is_closed = false;
  return pipeline;
}

void Pipeline::start() {
  while (started_ < filters_.size() && !start_paused_ && !is_ended()) filters_[started_++]->on_start();
}

void Pipeline::resume_start() {
  start_paused_ = false;
  start();
}

void Pipeline::end_stay() {
  Pipeline& all = whole();
  if (--all.stays_ == 0 && all.quiet_watcher_ && !all.is_ended()) runtime().loop.defer(*all.quiet_watcher_);
}

void Pipeline::cancel_answer() {
  if (answer_gate_) answer_gate_->is_closed = true;
  for (size_t i = std::min<size_t>(answer_index_ + 1, filters_.size()); i-- > 0;) filters_[i]->on_stop();
}

void Pipeline::on_event(Event&& event) {
  if (state_ != State::Running) return;
  first_->on_event(std::move(event));
}

bool Pipeline::end_if_idle(Instant since) {
  if (is_ended()) return false;
  return std::ranges::any_of(filters_, [&](const auto& filter) { return filter->end_if_idle(since); });
}

bool Pipeline::is_movable() const {
  return !is_ended() &&
         std::ranges::all_of(filters_, [](const auto& filter) { return filter->is_movable(); });
}

bool Pipeline::leave(Leaving how) {
  bool is_at_rest = true;
  for (size_t i = 0; i < filters_.size() && !is_ended(); ++i)
    if (!filters_[i]->leave(how)) is_at_rest = false;
  return is_at_rest && !is_ended();
}

buffer::Buffer Pipeline::take_unused() {
  buffer::Buffer unused;
  for (const auto& filter : filters_) filter->take_unused(unused);
  return unused;
}

void Pipeline::end(const Error* error) {
  if (state_ != State::Running) return;
  state_ = State::Ended;
  end_error_ = error;
  runtime().loop.release_later(Ref<Object>(this));
  for (size_t i = filters_.size(); i-- > 0;) filters_[i]->on_stop();
  for (size_t i = filters_.size(); i-- > 0;) filters_[i]->on_end(error);
  end_error_ = nullptr;
}

void Pipeline::on_unreferenced() noexcept {
  PERILUNE_EXPECT(state_ != State::Running, "a pipeline is ended by its owner before it is let go");
  for (const auto& filter : filters_) filter->on_reset();
  state_ = State::Free;
  context_.reset();
  input_ = output_ = nullptr;
  sink_ = nullptr;
  const Ref<PipelinePlan> last_hold = --plan_.alive_ == 0 ? std::move(plan_.self_while_alive_) : nullptr;
  if (plan_.free_.size() < pooled_instances_max) plan_.free_.push_back(this);
  else delete this;
}

void Filter::fail(Error error) { output(Event::stream_end(std::make_unique<Error>(std::move(error)))); }

}  // namespace perilune::flow
