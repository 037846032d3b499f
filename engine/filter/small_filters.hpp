#pragma once

#include "filter/message_output.hpp"
#include "filter/registry.hpp"
#include "filter/waiting_filter.hpp"

namespace perilune::filter {

/// `timeout(t)`: the answer's head must begin within `t` of the request's head, else RequestTimeout (504);
/// what was asked is called off.
Result<std::unique_ptr<flow::FilterPlan>> make_timeout_plan(FilterCall& call);
/// `insert(Message | text | Data | fn)`: comes out before the first event.
Result<std::unique_ptr<flow::FilterPlan>> make_insert_plan(FilterCall& call);
/// `dump(tag)`: logs every event. `print()`: writes passing bytes to stdout.
Result<std::unique_ptr<flow::FilterPlan>> make_dump_plan(FilterCall& call);
Result<std::unique_ptr<flow::FilterPlan>> make_print_plan(FilterCall& call);
/// `serveHTTP(fn | Message, options)`: demuxHTTP with a pipeline of one function.
Result<std::unique_ptr<flow::FilterPlan>> make_serve_plan(FilterCall& call);

}  // namespace perilune::filter
