#include "script_world.hpp"

namespace perilune::script {
namespace {

/// An upstream in memory: notes what is written, and gives `answer` once a whole head was written.
class MemoryStream final : public net::Stream {
 public:
  MemoryStream(std::string& written, std::string answer) : written_(written), answer_(std::move(answer)) {}
  void set_handler(net::StreamHandler* handler) override { handler_ = handler; }
  net::Transfer read(std::span<const iovec> room) override {
    using enum net::Transfer::Status;
    if (answer_.empty() || written_.find("\r\n\r\n") == std::string::npos) return {Blocked};
    const size_t count = std::min(answer_.size(), room[0].iov_len);
    std::copy_n(answer_.data(), count, static_cast<char*>(room[0].iov_base));
    answer_.erase(0, count);
    return {Done, count};
  }
  net::Transfer write(std::span<const iovec> data) override {
    size_t count = 0;
    for (const iovec& part : data) {
      written_.append(static_cast<const char*>(part.iov_base), part.iov_len);
      count += part.iov_len;
    }
    return {net::Transfer::Status::Done, count};
  }
  void shutdown_write() override {}
  void reset_on_close() override {}
  bool was_reset() const override { return false; }
  bool is_quiet() const override { return true; }
  net::Address local() const override { return {}; }
  net::Address peer() const override { return {}; }
  net::StreamHandler* handler() const { return handler_; }

 private:
  std::string& written_;
  std::string answer_;
  net::StreamHandler* handler_ = nullptr;
};

class MemoryNetwork final : public net::Network {
 public:
  Result<std::unique_ptr<net::Listener>> listen(const net::Address&, const net::ListenOptions&,
                                                net::ListenHandler&) override {
    return Error{ErrorCode::Resources, Side::Engine, "no listeners here"};
  }
  std::unique_ptr<net::Operation> connect(const net::Address& address, const net::ConnectOptions&,
                                          net::ConnectHandler& handler) override {
    asked = address.to_string();
    waiting = &handler;
    return std::make_unique<net::Operation>();
  }
  std::unique_ptr<net::Operation> resolve(const net::Address& name, net::ResolveHandler& handler) override {
    resolved = name.to_string();
    resolving = &handler;
    port = name.port;
    return std::make_unique<net::Operation>();
  }
  std::unique_ptr<net::Operation> resolve_service(const std::string&, net::ServiceHandler&) override {
    return nullptr;
  }
  void answer_resolve() {
    std::exchange(resolving, nullptr)
        ->on_resolved(
            net::Resolution{.addresses = {{net::Address::Kind::Ip4, "10.1.1.1", port}}, .ttl = 60s});
  }
  void accept(const std::string& answer) {
    auto stream = std::make_unique<MemoryStream>(written, answer);
    connected = stream.get();
    std::exchange(waiting, nullptr)->on_connected(std::unique_ptr<net::Stream>(std::move(stream)));
  }
  void refuse() {
    std::exchange(waiting, nullptr)
        ->on_connected(Error{ErrorCode::ConnectFailure, Side::Upstream, "Connection refused"});
  }

  std::string asked, resolved, written;
  uint16_t port = 0;
  net::ConnectHandler* waiting = nullptr;
  net::ResolveHandler* resolving = nullptr;
  MemoryStream* connected = nullptr;
};

class HttpTest : public testing::Test {
 protected:
  HttpTest() : world(network) {}
  std::unique_ptr<TestCall> begin() {
    auto call = std::make_unique<TestCall>();
    world.call(*call, "f", *context);
    for (int i = 0; i < 4; ++i) world.turn();
    return call;
  }
  void answer(const std::string& text) {
    network.accept(text);
    for (int i = 0; i < 3; ++i) world.turn();
    network.connected->handler()->on_readable();
    for (int i = 0; i < 3; ++i) world.turn();
  }
  MemoryNetwork network;
  ScriptWorld world;
  Ref<flow::Context> context = flow::Context::make_detached(world.loop.now());
};

TEST_F(HttpTest, AGetWaitsForItsResponse) {
  ASSERT_EQ(world.load(R"(hook("f", function()
    local res, err = http.get("http://127.0.0.1:81/a?b=c#d", { headers = { ["X-A"] = "1" } })
    return res.status .. res.body .. res.headers.x
  end))"),
            "");
  const auto call = begin();
  EXPECT_EQ(call->outcome(), "waiting");
  EXPECT_EQ(network.asked, "127.0.0.1:81");
  answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nhi");
  EXPECT_EQ(call->outcome(), "200hiy");
  EXPECT_TRUE(network.written.starts_with("GET /a?b=c HTTP/1.1\r\n")) << network.written;
  EXPECT_NE(network.written.find("127.0.0.1:81\r\n"), std::string::npos) << network.written;
  EXPECT_NE(network.written.find("X-A: 1\r\n"), std::string::npos) << network.written;
}

TEST_F(HttpTest, ARequestHasAMethodAndABody) {
  ASSERT_EQ(world.load(R"(hook("f", function()
    return http.request { method = "POST", url = "http://example.org", json = { a = 1 } }.status
  end))"),
            "");
  const auto call = begin();
  EXPECT_EQ(network.resolved, "example.org:80");
  network.answer_resolve();
  world.turn();
  EXPECT_EQ(network.asked, "10.1.1.1:80");
  answer("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(call->outcome(), "204");
  EXPECT_TRUE(network.written.starts_with("POST / HTTP/1.1\r\n")) << network.written;
  EXPECT_TRUE(network.written.ends_with("\r\n\r\n{\"a\":1}")) << network.written;
}

TEST_F(HttpTest, AFailureIsNilAndAnErrorThatReadsAsASentence) {
  ASSERT_EQ(world.load(R"(hook("f", function()
    local res, err = http.get("http://127.0.0.1:81/")
    note(res, err.code, err.side, #tostring(err) > 10)
    return res, err
  end))"),
            "");
  const auto call = begin();
  network.refuse();
  for (int i = 0; i < 4; ++i) world.turn();
  EXPECT_EQ(call->outcome(), "nil, connect-failure");
  EXPECT_EQ(world.take_notes(), "nil connect-failure upstream true");
}

TEST_F(HttpTest, ACancelledHookCallsItsRequestOff) {
  ASSERT_EQ(world.load("hook('f', function() http.get 'http://127.0.0.1:81/' end)"), "");
  const auto call = begin();
  call->call.cancel();
  for (int i = 0; i < 4; ++i) world.turn();
  EXPECT_EQ(world.interpreter->coroutines.in_use(), 0u);
}

}  // namespace
}  // namespace perilune::script
