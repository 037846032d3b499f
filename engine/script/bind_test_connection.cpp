#include <boost/intrusive/list.hpp>

#include "script/bind_test.hpp"
#include "script/data_box.hpp"
#include "script/library.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"

namespace perilune::script {

namespace {

using ConnectionLink =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// What a waiting function wants of a connection.
struct Want : ConnectionLink {
  virtual void look() = 0;

 protected:
  ~Want() = default;
};

/// What the userdata of a connection holds, and who waits for something of it.
struct ConnectionBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  Ref<TestConnection> connection;
  boost::intrusive::list<Want, boost::intrusive::constant_time_size<false>> waits;
  ~ConnectionBox() {
    if (connection) connection->on_news = {};
    waits.clear();
  }
};

/// Waits until a connection has what is wanted.
class ConnectionWait final : public Wait, public Want {
 public:
  ConnectionWait(Coroutine& coroutine, ConnectionBox& box, TestConnection::Wanted wanted,
                 std::optional<Duration> patience)
      : Wait(coroutine), connection_(box.connection), wanted_(std::move(wanted)) {
    box.waits.push_back(*this);
    if (patience) interpreter().loop().arm(timer_, *patience);
    look();
  }
  void look() override {
    if (result_) return;
    result_ = connection_->read(wanted_);
    if (result_) wake();
  }
  int push_results(lua_State* L) override {
    if (!*result_) {
      lua_pushnil(L);
      push_error(L, result_->error());
      return 2;
    }
    TestConnection::Reading& reading = **result_;
    if (reading.message) push_made_message(L, interpreter().bindings, std::move(reading.message));
    else push_text(L, reading.bytes);
    return 1;
  }

 private:
  void on_timer() {
    if (!result_) result_ = Error{ErrorCode::RequestTimeout, Side::Upstream, "the test waited no longer"};
    wake();
  }
  const Ref<TestConnection> connection_;
  const TestConnection::Wanted wanted_;
  std::optional<Result<TestConnection::Reading>> result_;
  loop::MemberTimer<ConnectionWait, &ConnectionWait::on_timer> timer_{*this};
};

constexpr const char* class_name = "perilune.test.connection";
using Wanted = TestConnection::Wanted;

ConnectionBox& box_at(lua_State* L) { return *test_userdata<ConnectionBox>(L, 1); }

std::optional<Duration> patience_at(lua_State* L, int index) {
  if (lua_isnil(L, index)) return std::nullopt;
  return from_seconds(lua_tonumber(L, index));
}

int wait_for(lua_State* L, ConnectionBox& box, Wanted wanted, std::optional<Duration> patience) {
  Coroutine& coroutine = Coroutine::of(L);
  return coroutine.suspend(L, std::make_unique<ConnectionWait>(coroutine, box, std::move(wanted), patience));
}

// (address, from or nil, as the test calls it) → connection
Outcome open(lua_State* L) {
  Interpreter& interpreter = Interpreter::of(L);
  const std::string asked(*string_at(L, 3));
  const auto address = net::Address::parse(*string_at(L, 1));
  if (!address || address->needs_resolving())
    return Outcome::error(asked + ": expects a port or \"ip:port\", got " + describe_value(L, 1));
  net::ConnectOptions options;
  if (!lua_isnil(L, 2)) {
    const auto text = string_at(L, 2);
    // Without a port it gets one of its own.
    const auto from =
        text ? net::Address::parse(text->find(':') == std::string_view::npos ? std::string(*text) + ":0"
                                                                             : std::string(*text))
             : Result<net::Address>(Error{});
    if (!from || from->needs_resolving() || from->kind == net::Address::Kind::Unix)
      return Outcome::error(asked + ": \"from\" expects an IP address such as \"10.0.0.9\", got " +
                            describe_value(L, 2));
    options.bind = *from;
  }
  push_connection(L, make_ref<TestConnection>(interpreter.tests->host.outside(),
                                              interpreter.services.runtime.chunks, *address, options));
  return 1;
}

// (connection, what, argument, patience, as the test calls it) → bytes or a message, or nil, err
int read(lua_State* L) {
  Coroutine::of(L).require_wait(L, lua_tostring(L, 5));
  Wanted wanted;
  const std::string_view what = *string_at(L, 2);
  if (what == "connected") wanted.kind = Wanted::Kind::Connected;
  if (what == "all") wanted.kind = Wanted::Kind::All;
  if (what == "until") wanted.kind = Wanted::Kind::Until;
  if (what == "response") wanted.kind = Wanted::Kind::Response;
  if (what == "count") {
    wanted.kind = Wanted::Kind::Count;
    wanted.bytes = static_cast<size_t>(lua_tonumber(L, 3));
  } else if (const auto text = string_at(L, 3)) {
    wanted.text = *text;
  }
  return wait_for(L, box_at(L), std::move(wanted), patience_at(L, 4));
}

// (connection, bytes) → was it open
Outcome send(lua_State* L) {
  buffer::Buffer bytes;
  if (!to_bytes(L, Interpreter::of(L).bindings, 2, bytes))
    return Outcome::error("client:send expects a string or a Data, got " + describe_value(L, 2));
  lua_pushboolean(L, box_at(L).connection->send(bytes.to_string()));
  return 1;
}

// (connection, request, is the body sent in pieces, ends the connection after it) → was it open
int send_head(lua_State* L) {
  const flow::Message& message = *test_userdata<MessageBox>(L, 2)->message;
  message::BodyFraming body;
  if (lua_toboolean(L, 3)) body = {message::BodyKind::Chunked, 0};
  else if (!message.body.empty()) body = {message::BodyKind::Length, message.body.size()};
  lua_pushboolean(L, box_at(L).connection->send(*message.request(), body, lua_toboolean(L, 4) != 0));
  return 1;
}

// (connection, "close", "reset" or "end")
int close(lua_State* L) {
  TestConnection& connection = *box_at(L).connection;
  const std::string_view how = *string_at(L, 2);
  if (how == "end") connection.finish_sending();
  else if (how == "reset") connection.reset();
  else connection.close();
  return 0;
}

int state(lua_State* L) {
  static constexpr const char* names[] = {"connecting", "failed", "open", "ended", "reset", "closed"};
  lua_pushstring(L, names[static_cast<size_t>(box_at(L).connection->state())]);
  return 1;
}

int unread(lua_State* L) {
  lua_pushnumber(L, static_cast<double>(box_at(L).connection->unread()));
  return 1;
}

int peer_of(lua_State* L) { return push_text(L, box_at(L).connection->peer().to_string()), 1; }

}  // namespace

void push_connection(lua_State* L, Ref<TestConnection> connection) {
  auto* box = new_userdata<ConnectionBox>(L, class_name);
  box->connection = std::move(connection);
  box->connection->on_news = [box] {
    // A wait that is over leaves the list when its function goes on, not before.
    for (Want& wait : box->waits) wait.look();
  };
}

void bind_test_connections(lua_State* L) {
  luaL_newmetatable(L, class_name);
  set_destructor<ConnectionBox>(L, "connection");
  lua_pop(L, 1);
  const luaL_Reg functions[] = {{"test_open", script_function<open>},
                                {"test_read", read},
                                {"test_send", script_function<send>},
                                {"test_send_head", send_head},
                                {"test_close", close},
                                {"test_state", state},
                                {"test_unread", unread},
                                {"test_peer", peer_of},
                                {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
}

}  // namespace perilune::script
