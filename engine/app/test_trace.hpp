#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/pipeline.hpp"
#include "flow/tracer.hpp"
#include "loop/driver.hpp"

namespace perilune::app {

/// What passed through the pipelines of the scripts of one test, filter by filter: the last
/// limits::test_trace_events_max events.
class TestTrace final : public flow::Tracer {
 public:
  explicit TestTrace(loop::Driver& driver);
  ~TestTrace();
  TestTrace(const TestTrace&) = delete;
  TestTrace& operator=(const TestTrace&) = delete;

  flow::Sink& tap(const flow::Pipeline& pipeline, size_t filter, flow::Sink& next) override;
  /// The last limits::test_trace_lines_max of them, such as
  /// `  0.250 s  #2  proxy.lua:12  muxHTTP  request GET /x | host: a`.
  std::vector<std::string> lines() const;

 private:
  class Tap;
  struct Row {
    Instant when;
    /// Which exchange or connection, in the order in which they were first seen.
    size_t context;
    std::string place;
    std::string filter;
    std::string event;
  };
  void note(const flow::Pipeline& pipeline, size_t filter, const flow::Event& event);
  /// `begins`: an exchange does, with this event.
  size_t number_of(const flow::Pipeline& pipeline, bool begins);

  loop::Driver& driver_;
  const Instant begin_;
  std::vector<std::unique_ptr<Tap>> taps_;
  std::deque<Row> rows_;
  size_t left_out_ = 0;
  // Contexts are used again: one that began at another moment, or begins now, is another one.
  struct Seen {
    Instant started;
    size_t number;
  };
  std::unordered_map<const flow::Context*, Seen> contexts_;
  size_t contexts_seen_ = 0;
};

}  // namespace perilune::app
