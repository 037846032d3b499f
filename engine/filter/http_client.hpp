#pragma once

#include <memory>

#include "base/error.hpp"
#include "base/time.hpp"
#include "filter/registry.hpp"
#include "flow/message.hpp"

namespace perilune::filter {

/// Told how a request of the engine's own client ended, once, from the loop.
class HttpClientHandler {
 public:
  /// The whole response, body collected. Errors: those of connect and muxHTTP; BodyTooLarge for the body.
  virtual void on_response(Result<Ref<flow::Message>> response) = 0;

 protected:
  ~HttpClientHandler() = default;
};

/// A request under way; destroying it calls it off.
class HttpClientRequest {
 public:
  virtual ~HttpClientRequest() = default;
  /// Where it went last, where that is told; empty before.
  virtual std::string_view endpoint() const { return {}; }
};

struct HttpClientOptions {
  /// Until the whole response is there.
  Duration timeout = 30s;
  size_t body_bytes_max = 1024 * 1024;
};

/// The HTTP client behind `http.get` and `http.request`: keep-alive connections per address, made of the same
/// filters (muxHTTP and connect) that scripts use.
class HttpClient {
 public:
  explicit HttpClient(Services& services);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends `request` (its head and collected body) to `target` ("host:port" or "unix:path").
  std::unique_ptr<HttpClientRequest> send(Ref<flow::Message> request, const std::string& target,
                                          const HttpClientOptions& options, HttpClientHandler& handler);
  /// Gives back pipelines kept for reuse that nobody needed since the last call.
  void give_back_surplus();

 private:
  class Exchange;
  Services& services_;
  Ref<flow::PipelinePlan> connection_plan_;
  Ref<flow::PipelinePlan> plan_;
};

}  // namespace perilune::filter
