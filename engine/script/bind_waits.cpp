#include <boost/intrusive/list.hpp>

#include "base/pooled.hpp"
#include "script/interpreter.hpp"
#include "script/library.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

class Sleep final : public Wait, public Pooled<Sleep> {
 public:
  Sleep(Coroutine& coroutine, Duration span) : Wait(coroutine) { interpreter().loop().arm(timer_, span); }
  int push_results(lua_State*) override { return 0; }

 private:
  void on_timer() { wake(); }
  loop::MemberTimer<Sleep, &Sleep::on_timer> timer_{*this};
};

int sleep(lua_State* L) {
  Coroutine& coroutine = Coroutine::of(L);
  const auto span = duration_at(L, 1);
  if (!span) {
    lua_pushstring(L, describe_value(L, 1).c_str());
    raise_at_script(L, "sleep: argument 1 (time) expects a number of seconds or \"5s\", got %s",
                    lua_tostring(L, -1));
  }
  coroutine.require_wait(L, "sleep");
  return coroutine.suspend(L, std::make_unique<Sleep>(coroutine, *span));
}

using EventLink =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// Waits until an event is set.
class EventWait final : public Wait, public EventLink, public Pooled<EventWait> {
 public:
  explicit EventWait(Coroutine& coroutine) : Wait(coroutine) {}
  void set() { wake(); }
  int push_results(lua_State*) override { return 0; }
};

/// Those who wait for one thing to be over. One that is collected leaves its waiters in peace.
struct EventBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  boost::intrusive::list<EventWait, boost::intrusive::constant_time_size<false>> waiting;
  ~EventBox() { waiting.clear(); }
};

int make_event(lua_State* L) {
  void* memory = lua_newuserdata(L, sizeof(EventBox));
  new (memory) EventBox();
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return 1;
}

int event_wait(lua_State* L) {
  Coroutine& coroutine = Coroutine::of(L);
  coroutine.require_wait(L, lua_tostring(L, 2));
  auto* event = test_userdata<EventBox>(L, 1);
  auto wait = std::make_unique<EventWait>(coroutine);
  if (event) event->waiting.push_back(*wait);
  return coroutine.suspend(L, std::move(wait));
}

int event_set(lua_State* L) {
  auto* event = test_userdata<EventBox>(L, 1);
  while (event && !event->waiting.empty()) {
    EventWait& first = event->waiting.front();
    event->waiting.pop_front();
    first.set();
  }
  return 0;
}

}  // namespace

void bind_waits(lua_State* L) {
  lua_pushcfunction(L, sleep);
  lua_setfield(L, -2, "sleep");
  lua_createtable(L, 0, 2);
  set_destructor<EventBox>(L, "event");
  lua_pushcclosure(L, make_event, 1);
  lua_setfield(L, -2, "event");
  lua_pushcfunction(L, event_wait);
  lua_setfield(L, -2, "event_wait");
  lua_pushcfunction(L, event_set);
  lua_setfield(L, -2, "event_set");
}

}  // namespace perilune::script
