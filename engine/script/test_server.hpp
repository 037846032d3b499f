#pragma once

#include <deque>
#include <functional>

#include "edge/server.hpp"
#include "filter/registry.hpp"
#include "script/test_connection.hpp"

namespace perilune::script {

/// An upstream of a test: it listens at one address outside of the scripts.
class TestServer {
 public:
  virtual ~TestServer() = default;
  /// Takes no more connections and cuts those that are open.
  virtual void close() = 0;
};

/// What an HTTP upstream calls; all but `answer` may be null.
struct TestServerHooks {
  Ref<flow::Hook> answer;  // (req, ctx) → response
  Ref<flow::Hook> opened;  // (ctx), at accept
  Ref<flow::Hook> closed;  // (ctx, err)
  Ref<flow::Hook> adorns;  // (res, ctx), with each answer
};

/// One made of the engine's own filters, so keep-alive, framing and waiting functions come with it.
class TestHttpServer final : public TestServer {
 public:
  TestHttpServer(filter::Services& services, const Place& place, const TestServerHooks& hooks);
  ~TestHttpServer() override;
  /// Errors: those of edge::Server.
  Result<void> listen(net::Network& network, const net::Address& address);
  void close() override;

 private:
  flow::Runtime& runtime_;
  edge::ConnectionCounts counts_;
  Ref<flow::PipelinePlan> answering_;
  Ref<flow::PipelinePlan> plan_;
  std::unique_ptr<edge::Server> server_;
};

/// One that hands out its connections as they are.
class TestRawServer final : public TestServer, private net::ListenHandler {
 public:
  TestRawServer(sim::SimWorker& worker, buffer::ChunkPool& chunks) : worker_(worker), chunks_(chunks) {}
  /// Errors: those of net::Network::listen.
  Result<void> listen(const net::Address& address);
  void close() override;
  bool is_closed() const { return listener_ == nullptr; }
  /// The oldest connection that was not taken; null when there is none.
  Ref<TestConnection> take();

  /// Called when one came, and at the end.
  std::function<void()> on_news = {};

 private:
  void on_accept(std::unique_ptr<net::Stream> stream) override;
  void on_accept_paused(const Error&) override {}

  sim::SimWorker& worker_;
  buffer::ChunkPool& chunks_;
  std::unique_ptr<net::Listener> listener_;
  std::deque<Ref<TestConnection>> waiting_;
  std::vector<Ref<TestConnection>> all_;
};

}  // namespace perilune::script
