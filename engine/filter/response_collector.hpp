#pragma once

#include "filter/http_client.hpp"

namespace perilune::filter {

/// Collects the one response of a request of the engine's own, and tells the handler once how that ended. The
/// handler may let go of whoever has the collector.
class ResponseCollector {
 public:
  ResponseCollector(flow::Runtime& runtime, const HttpClientOptions& options, HttpClientHandler& handler)
      : runtime_(runtime), options_(options), handler_(&handler) {}
  ResponseCollector(const ResponseCollector&) = delete;
  ResponseCollector& operator=(const ResponseCollector&) = delete;

  /// The time for the whole response begins.
  void start() {
    if (options_.timeout != Duration::max()) runtime_.loop.arm(timer_, options_.timeout);
  }
  void take(flow::Event&& event);
  void fail(const Error& error) { finish(error); }

 private:
  void on_timer() { finish(Error{ErrorCode::RequestTimeout, Side::Upstream, {}}); }
  void finish(Result<Ref<flow::Message>> result);

  flow::Runtime& runtime_;
  const HttpClientOptions options_;
  HttpClientHandler* handler_;  // null: it was told
  Ref<flow::Message> response_;
  loop::MemberTimer<ResponseCollector, &ResponseCollector::on_timer> timer_{*this};
};

}  // namespace perilune::filter
