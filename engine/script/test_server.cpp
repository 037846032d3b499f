#include "script/test_server.hpp"

#include "base/limits.hpp"

namespace perilune::script {
namespace {

/// Adds a filter as a script would.
void add(filter::Services& services, flow::PipelinePlan& plan, std::string_view name, Ref<Object> argument,
         filter::Options options = {}) {
  filter::FilterCall call{*filter::find_filter(name),    services, plan.place(), {}, std::move(options), {},
                          Ref<flow::PipelinePlan>(&plan)};
  call.arguments.resize(call.spec.arguments.size());
  call.arguments[0].value = Value(std::move(argument));
  plan.add(std::move(*filter::make_filter(call)));
}

}  // namespace

TestHttpServer::TestHttpServer(filter::Services& services, const Place& place, const TestServerHooks& hooks)
    : runtime_(services.runtime),
      answering_(make_ref<flow::PipelinePlan>(services.runtime, "upstream of the test", place)),
      plan_(make_ref<flow::PipelinePlan>(services.runtime, "upstream of the test", place)) {
  filter::Options whole;
  whole.set("limit", filter::Argument{Value(static_cast<double>(limits::test_body_bytes_max)), {}, {}, {}});
  add(services, *answering_, "replaceMessage", hooks.answer, std::move(whole));
  if (hooks.adorns) add(services, *answering_, "handleMessageStart", hooks.adorns);
  if (hooks.opened) add(services, *plan_, "handleSessionStart", hooks.opened);
  if (hooks.closed) add(services, *plan_, "handleSessionEnd", hooks.closed);
  add(services, *plan_, "demuxHTTP", answering_);
}

Result<void> TestHttpServer::listen(net::Network& network, const net::Address& address) {
  edge::ServerOptions options;
  options.session.channel.buffer_bytes_max = limits::buffer_bytes_max;
  // Upstreams of tests are patient: how long a client may be silent is for the test to say.
  options.session.channel.write_timeout = options.session.channel.idle_timeout = Duration::max();
  options.session.rules.times = {Duration::max(), Duration::max(), Duration::max(), 0};
  server_ = std::make_unique<edge::Server>(runtime_, *plan_, address, options, counts_.of({}));
  if (auto result = server_->listen(network); !result) return result;
  server_->open();
  return {};
}

TestHttpServer::~TestHttpServer() = default;

void TestHttpServer::close() {
  if (!server_) return;
  server_->stop_accepting();
  server_->cut_all({ErrorCode::Draining, Side::Engine, "the test closed it"});
}

Result<void> TestRawServer::listen(const net::Address& address) {
  auto listener = worker_.network.listen(address, {}, *this);
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  return {};
}

void TestRawServer::close() {
  listener_.reset();
  for (const auto& connection : all_) connection->close();
  waiting_.clear();
  all_.clear();
  if (on_news) on_news();
}

void TestRawServer::on_accept(std::unique_ptr<net::Stream> stream) {
  waiting_.push_back(make_ref<TestConnection>(worker_, chunks_, std::move(stream)));
  all_.push_back(waiting_.back());
  if (on_news) on_news();
}

Ref<TestConnection> TestRawServer::take() {
  if (waiting_.empty()) return {};
  Ref<TestConnection> first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

}  // namespace perilune::script
