#include "app/test_trace.hpp"

#include <algorithm>
#include <cstdio>

#include "base/limits.hpp"

namespace perilune::app {

class TestTrace::Tap final : public flow::Sink {
 public:
  Tap(TestTrace& trace, const flow::Pipeline& pipeline, size_t filter, flow::Sink& next)
      : trace_(trace), pipeline_(pipeline), filter_(filter), next_(next) {}
  void on_event(flow::Event&& event) override {
    trace_.note(pipeline_, filter_, event);
    next_.on_event(std::move(event));
  }

 private:
  TestTrace& trace_;
  const flow::Pipeline& pipeline_;
  const size_t filter_;
  flow::Sink& next_;
};

TestTrace::TestTrace(loop::Driver& driver) : driver_(driver), begin_(driver.now()) {}
TestTrace::~TestTrace() = default;

flow::Sink& TestTrace::tap(const flow::Pipeline& pipeline, size_t filter, flow::Sink& next) {
  taps_.push_back(std::make_unique<Tap>(*this, pipeline, filter, next));
  return *taps_.back();
}

size_t TestTrace::number_of(const flow::Pipeline& pipeline, bool begins) {
  // Filters behind a route and the like belong to the exchange that came to it.
  flow::Context* context = pipeline.context().exchange();
  if (!context) context = &pipeline.context();
  const auto [found, is_new] = contexts_.try_emplace(context, Seen{context->started(), 0});
  if (is_new || begins || found->second.started != context->started())
    found->second = {context->started(), ++contexts_seen_};
  return found->second.number;
}

void TestTrace::note(const flow::Pipeline& pipeline, size_t filter, const flow::Event& event) {
  if (pipeline.is_ended()) return;
  const auto& filters = pipeline.plan().filters();
  const bool begins =
      filter == 0 && event.request() && pipeline.depth() == 0 && pipeline.role() == flow::Role::Message;
  Row row{driver_.now(), number_of(pipeline, begins), {}, {}, flow::describe(event)};
  if (filter < filters.size()) {
    row.place = filters[filter]->place.to_string();
    row.filter = filters[filter]->name;
  } else {
    row.place = pipeline.plan().place().to_string();
    row.filter =
        pipeline.plan().name().empty() ? "comes out" : "comes out of \"" + pipeline.plan().name() + "\"";
  }
  rows_.push_back(std::move(row));
  if (rows_.size() <= limits::test_trace_events_max) return;
  rows_.pop_front();
  ++left_out_;
}

std::vector<std::string> TestTrace::lines() const {
  const size_t first = rows_.size() - std::min(rows_.size(), limits::test_trace_lines_max);
  size_t place_width = 0, filter_width = 0;
  for (size_t i = first; i < rows_.size(); ++i) {
    place_width = std::max(place_width, rows_[i].place.size());
    filter_width = std::max(filter_width, rows_[i].filter.size());
  }
  std::vector<std::string> lines;
  if (first + left_out_ > 0)
    lines.push_back("… " + std::to_string(first + left_out_) + " events before that");
  for (size_t i = first; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    char begin[64];
    std::snprintf(begin, sizeof begin, "%9.3f s  #%-3zu ", to_seconds(row.when - begin_), row.context);
    std::string line = begin + row.place + std::string(place_width - row.place.size() + 2, ' ') + row.filter +
                       std::string(filter_width - row.filter.size() + 2, ' ') + row.event;
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace perilune::app
