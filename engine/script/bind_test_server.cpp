#include <boost/intrusive/list.hpp>

#include "script/bind_test.hpp"
#include "script/library.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

constexpr const char* class_name = "perilune.test.server";

using AcceptLink =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// Waits for a connection of a raw upstream.
class AcceptWait final : public Wait, public AcceptLink {
 public:
  explicit AcceptWait(Coroutine& coroutine) : Wait(coroutine) {}
  void give(Ref<TestConnection> connection) {
    connection_ = std::move(connection);
    is_over_ = true;
    wake();
  }
  bool is_over() const { return is_over_; }
  int push_results(lua_State* L) override {
    if (!connection_) return lua_pushnil(L), 1;
    push_connection(L, std::move(connection_));
    return 1;
  }

 private:
  Ref<TestConnection> connection_;
  bool is_over_ = false;
};

/// The desk keeps the server as long as the state lasts.
struct ServerBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  TestRawServer* server = nullptr;
  boost::intrusive::list<AcceptWait, boost::intrusive::constant_time_size<false>> waits;
  ~ServerBox() {
    if (server) server->on_news = {};
    waits.clear();
  }
  void look() {
    for (AcceptWait& wait : waits) {
      if (wait.is_over()) continue;
      Ref<TestConnection> connection = server->take();
      if (!connection && !server->is_closed()) return;
      wait.give(std::move(connection));
    }
  }
};

TestDesk& desk_of(lua_State* L) { return *Interpreter::of(L).tests; }

Result<net::Address> address_at(lua_State* L) {
  const auto text = string_at(L, 1);
  if (text) return desk_of(L).locate(*text);
  return Error{ErrorCode::ScriptError, Side::Script,
               "an address such as \"10.0.0.1:80\" is expected, got " + describe_value(L, 1)};
}

Outcome failure(const Error& error) { return Outcome::error("proxy:upstream: " + error.detail); }

// (address, answer, opened, closed, adorns or nil)
Outcome serve(lua_State* L) {
  const auto address = address_at(L);
  if (!address) return failure(address.error());
  Interpreter& interpreter = Interpreter::of(L);
  TestServerHooks hooks;
  hooks.answer = interpreter.make_hook(L, 2);
  hooks.opened = interpreter.make_hook(L, 3);
  hooks.closed = interpreter.make_hook(L, 4);
  if (!lua_isnoneornil(L, 5)) hooks.adorns = interpreter.make_hook(L, 5);
  if (auto served = interpreter.tests->serve(*address, script_place(L), hooks); !served)
    return failure(served.error());
  return 0;
}

// (address) → server
Outcome serve_raw(lua_State* L) {
  const auto address = address_at(L);
  if (!address) return failure(address.error());
  auto server = desk_of(L).serve_raw(*address);
  if (!server) return failure(server.error());
  auto* box = new_userdata<ServerBox>(L, class_name);
  box->server = *server;
  box->server->on_news = [box] { box->look(); };
  return 1;
}

// (server, as the test calls it) → connection, or nil when it is closed
int accept(lua_State* L) {
  Coroutine& coroutine = Coroutine::of(L);
  coroutine.require_wait(L, "an upstream");
  auto& box = *test_userdata<ServerBox>(L, 1);
  auto wait = std::make_unique<AcceptWait>(coroutine);
  box.waits.push_back(*wait);
  box.look();
  return coroutine.suspend(L, std::move(wait));
}

// (address, fate, bytes or nil)
Outcome set_fate(lua_State* L) {
  const auto address = address_at(L);
  if (!address) return failure(address.error());
  const std::string_view name = *string_at(L, 2);
  using Fate = TestDesk::Fate;
  const Fate fate = name == "refuse"      ? Fate::Refuse
                    : name == "blackhole" ? Fate::BlackHole
                    : name == "silent"    ? Fate::Silent
                    : name == "reset"     ? Fate::Reset
                    : name == "cut"       ? Fate::Cut
                                          : Fate::Good;
  desk_of(L).set_fate(*address, fate, static_cast<uint64_t>(lua_tonumber(L, 3)));
  return 0;
}

// (name, ttl, host…)
int set_hosts(lua_State* L) {
  std::vector<std::string> hosts;
  for (int i = 3; i <= lua_gettop(L); ++i) hosts.emplace_back(*string_at(L, i));
  desk_of(L).host.world().dns().set(std::string(*string_at(L, 1)), std::move(hosts),
                                    from_seconds(lua_tonumber(L, 2)));
  return 0;
}

// (name, ttl, then host, port, priority, weight of each)
int set_service(lua_State* L) {
  std::vector<sim::SimDns::Target> targets;
  const auto number = [&](int index) { return static_cast<uint16_t>(lua_tonumber(L, index)); };
  for (int i = 3; i + 3 <= lua_gettop(L); i += 4)
    targets.push_back({std::string(*string_at(L, i)), number(i + 1), number(i + 2), number(i + 3)});
  desk_of(L).host.world().dns().set_service(std::string(*string_at(L, 1)), std::move(targets),
                                            from_seconds(lua_tonumber(L, 2)));
  return 0;
}

// (name, "fail", "silent" or "remove")
int set_name_state(lua_State* L) {
  sim::SimDns& dns = desk_of(L).host.world().dns();
  const std::string name(*string_at(L, 1));
  const std::string_view state = *string_at(L, 2);
  if (state == "fail") dns.fail(name);
  else if (state == "silent") dns.silence(name);
  else dns.remove(name);
  return 0;
}

}  // namespace

void bind_test_servers(lua_State* L) {
  luaL_newmetatable(L, class_name);
  set_destructor<ServerBox>(L, "server");
  lua_pop(L, 1);
  const luaL_Reg functions[] = {{"test_serve", script_function<serve>},
                                {"test_serve_raw", script_function<serve_raw>},
                                {"test_accept", accept},
                                {"test_fate", script_function<set_fate>},
                                {"test_dns_hosts", set_hosts},
                                {"test_dns_service", set_service},
                                {"test_dns_state", set_name_state},
                                {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
}

}  // namespace perilune::script
