#include "flow/pipeline.hpp"

namespace perilune::flow {
namespace {

constexpr size_t pooled_instances_max = 1024;  // of one plan: instances beyond a burst go back to the heap

}  // namespace

PipelinePlan::PipelinePlan(Runtime& runtime, std::string name, Place place)
    : runtime_(runtime), name_(std::move(name)), place_(std::move(place)) {}

PipelinePlan::~PipelinePlan() {
  for (Pipeline* pipeline : free_) delete pipeline;
}

void PipelinePlan::add(std::unique_ptr<FilterPlan> filter) {
  filter->side = answers() ? FlowSide::Response : FlowSide::Request;
  filters_.push_back(std::move(filter));
}

bool PipelinePlan::answers() const {
  for (const auto& filter : filters_)
    if (filter->answers()) return true;
  return false;
}

Pipeline::Pipeline(PipelinePlan& plan) : plan_(plan), outlet_(*this) {
  filters_.reserve(plan.filters().size());
  for (const auto& filter_plan : plan.filters()) {
    filters_.push_back(filter_plan->make());
    filters_.back()->pipeline_ = this;
    filters_.back()->side_ = filter_plan->side;
  }
  for (size_t i = 0; i < filters_.size(); ++i)
    filters_[i]->next_ = i + 1 < filters_.size() ? static_cast<Sink*>(filters_[i + 1].get()) : &outlet_;
  answer_sink_ = &outlet_;
  for (size_t i = 0; i < filters_.size(); ++i)
    if (plan.filters()[i]->answers()) answer_sink_ = filters_[i]->next_;
}

Pipeline::~Pipeline() = default;

Ref<Pipeline> Pipeline::create(PipelinePlan& plan, Ref<Context> context, PipelineEnds ends) {
  Pipeline* instance = nullptr;
  if (plan.free_.empty()) {
    instance = new Pipeline(plan);
  } else {
    instance = plan.free_.back();
    plan.free_.pop_back();
  }
  Ref<Pipeline> pipeline(instance);
  ++plan.alive_;
  pipeline->plan_while_running_ = Ref<PipelinePlan>(&plan);
  pipeline->context_ = std::move(context);
  pipeline->input_ = &ends.input;
  pipeline->output_ = &ends.output;
  pipeline->sink_ = &ends.sink;
  pipeline->state_ = State::Running;
  pipeline->wants_input_ = true;
  return pipeline;
}

void Pipeline::start() {
  for (const auto& filter : filters_) {
    filter->on_start();
    if (is_ended()) break;
  }
}

void Pipeline::on_event(Event&& event) {
  if (state_ != State::Running) return;
  if (filters_.empty()) sink_->on_event(std::move(event));
  else filters_.front()->on_event(std::move(event));
}

void Pipeline::end(const Error* error) {
  if (state_ != State::Running) return;
  state_ = State::Ended;
  runtime().loop.release_later(Ref<Object>(this));
  for (size_t i = filters_.size(); i-- > 0;) filters_[i]->on_stop();
  for (size_t i = filters_.size(); i-- > 0;) filters_[i]->on_end(error);
}

void Pipeline::on_unreferenced() noexcept {
  PERILUNE_EXPECT(state_ != State::Running, "a pipeline is ended by its owner before it is let go");
  for (const auto& filter : filters_) filter->on_reset();
  state_ = State::Free;
  context_.reset();
  input_ = output_ = nullptr;
  sink_ = nullptr;
  --plan_.alive_;
  const Ref<PipelinePlan> plan = std::move(plan_while_running_);
  if (plan_.free_.size() < pooled_instances_max) plan_.free_.push_back(this);
  else delete this;
}

void Filter::fail(Error error) { output(Event::stream_end(std::make_unique<Error>(std::move(error)))); }

}  // namespace perilune::flow
