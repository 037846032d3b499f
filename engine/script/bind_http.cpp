#include <cmath>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "script/interpreter.hpp"
#include "script/library.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

class HttpWait final : public Wait, public filter::HttpClientHandler {
 public:
  struct Request {
    Ref<flow::Message> message;
    std::string target;
    filter::HttpClientOptions options;
  };
  HttpWait(Coroutine& coroutine, Request request) : Wait(coroutine) {
    request_ = interpreter().http.send(std::move(request.message), request.target, request.options, *this);
  }

  void on_response(Result<Ref<flow::Message>> response) override {
    response_ = std::move(response);
    wake();
  }

  int push_results(lua_State* L) override {
    if (!response_) {
      lua_pushnil(L);
      push_error(L, response_.error());
      return 2;
    }
    push_made_message(L, interpreter().bindings, std::move(*response_));
    return 1;
  }

 private:
  Result<Ref<flow::Message>> response_ = Error{ErrorCode::Internal, Side::Engine, {}};
  std::unique_ptr<filter::HttpClientRequest> request_;
};

// (message, target, timeout, body bytes, as the script calls it)
int http_send(lua_State* L) {
  Coroutine& coroutine = Coroutine::of(L);
  coroutine.require_wait(L, lua_tostring(L, 5));
  HttpWait::Request request;
  request.message = Ref<flow::Message>(test_userdata<MessageBox>(L, 1)->message);
  request.target = *string_at(L, 2);
  if (!lua_isnil(L, 3)) request.options.timeout = from_seconds(lua_tonumber(L, 3));
  if (!lua_isnil(L, 4)) request.options.body_bytes_max = static_cast<size_t>(lua_tonumber(L, 4));
  return coroutine.suspend(L, std::make_unique<HttpWait>(coroutine, std::move(request)));
}

// (value) → seconds (huge for never), or nil when it is no time
int to_seconds_value(lua_State* L) {
  if (lua_type(L, 1) == LUA_TBOOLEAN && !lua_toboolean(L, 1)) {
    lua_pushnumber(L, HUGE_VAL);
    return 1;
  }
  if (lua_type(L, 1) == LUA_TNUMBER && lua_tonumber(L, 1) == HUGE_VAL) return lua_settop(L, 1), 1;
  const auto span = duration_at(L, 1);
  if (!span) return 0;
  lua_pushnumber(L, to_seconds(*span));
  return 1;
}

// (value) → bytes, or nil when it is no size
int to_bytes_value(lua_State* L) {
  if (lua_type(L, 1) == LUA_TNUMBER) {
    const double bytes = lua_tonumber(L, 1);
    if (!(bytes >= 0) || bytes != std::floor(bytes)) return 0;
    lua_settop(L, 1);
    return 1;
  }
  const auto text = string_at(L, 1);
  const auto bytes = text ? parse_size(*text) : std::nullopt;
  if (!bytes) return 0;
  lua_pushnumber(L, static_cast<double>(*bytes));
  return 1;
}

}  // namespace

void bind_http(lua_State* L) {
  const luaL_Reg functions[] = {
      {"http_send", http_send}, {"seconds", to_seconds_value}, {"bytes", to_bytes_value}, {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
}

}  // namespace perilune::script
