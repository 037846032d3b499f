#pragma once

#include <initializer_list>
#include <lua.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "script/binding.hpp"

/// Between C++ and the Lua stack. A function that raises leaves by unwinding: it must hold no object with a
/// destructor at that moment. So bound functions compute in C++ first, give an Outcome, and one place raises.
namespace perilune::script {

/// The context of the running bound function: its first upvalue.
inline BindingContext& context_of(lua_State* L) {
  return *static_cast<BindingContext*>(lua_touserdata(L, lua_upvalueindex(1)));
}
/// The signature of the running bound function, such as "base64.encode(text)": its second upvalue.
std::string_view signature_of(lua_State* L);

/// A string at `index` without conversion; numbers are none.
inline std::optional<std::string_view> string_at(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return std::nullopt;
  size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return std::string_view(text, size);
}
inline void push_text(lua_State* L, std::string_view text) { lua_pushlstring(L, text.data(), text.size()); }
/// Into the table at the top of the stack.
inline void set_text(lua_State* L, const char* key, std::string_view text) {
  push_text(L, text);
  lua_setfield(L, -2, key);
}

/// What is at `index`, for error messages: `nothing`, `nil`, `5`, `"text"` (cut at 40 bytes), `a table`, `a
/// Message`.
std::string describe_value(lua_State* L, int index);

/// Raises the string at the top of the stack with the place in front where the script stands that is running:
/// files of our own Lua library are looked through (place.hpp).
[[noreturn]] void raise_top(lua_State* L);
[[noreturn]] void raise(lua_State* L, const char* message);
/// Raises "base64.encode: text (argument 1) expects a string, got nil". `index` as on the stack; in a
/// method's signature ("headers:add(name, value)") the receiver is not counted.
[[noreturn]] void raise_argument(lua_State* L, int index, std::string_view expectation);
std::string argument_message(lua_State* L, int index, std::string_view expectation);

/// `; did you mean "status"?` or nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

/// How a bound function ends: results on the stack, or an error to raise at its caller.
class Outcome {
 public:
  Outcome(int results) : results_(results) {}
  static Outcome error(std::string message) {
    Outcome outcome(0);
    outcome.error_ = std::move(message);
    return outcome;
  }
  const std::optional<std::string>& failure() const { return error_; }
  int results() const { return results_; }

 private:
  int results_;
  std::optional<std::string> error_;
};

/// Makes a lua_CFunction of a function that gives an Outcome.
template <Outcome (*Function)(lua_State*)>
int outcome_function(lua_State* L) {
  {
    const Outcome outcome = Function(L);
    if (!outcome.failure()) return outcome.results();
    push_text(L, *outcome.failure());
  }
  raise_top(L);
}

/// How a type is read from the stack: `expectation`, `is` and `get`.
template <typename T>
struct FromLua;
template <>
struct FromLua<std::string_view> {
  static constexpr std::string_view expectation = "a string";
  static bool is(lua_State* L, int index) { return lua_type(L, index) == LUA_TSTRING; }
  static std::string_view get(lua_State* L, int index) { return *string_at(L, index); }
};
template <>
struct FromLua<double> {
  static constexpr std::string_view expectation = "a number";
  static bool is(lua_State* L, int index) { return lua_type(L, index) == LUA_TNUMBER; }
  static double get(lua_State* L, int index) { return lua_tonumber(L, index); }
};
template <>
struct FromLua<bool> {
  static constexpr std::string_view expectation = "a boolean";
  static bool is(lua_State* L, int index) { return lua_type(L, index) == LUA_TBOOLEAN; }
  static bool get(lua_State* L, int index) { return lua_toboolean(L, index) != 0; }
};
template <>
struct FromLua<BindingContext*> {  // not an argument: the function asks for its context
  static constexpr std::string_view expectation = "";
  static bool is(lua_State*, int) { return true; }
  static BindingContext* get(lua_State* L, int) { return &context_of(L); }
};
template <typename T>
struct FromLua<std::optional<T>> {
  static constexpr std::string_view expectation = FromLua<T>::expectation;
  static bool is(lua_State* L, int index) { return lua_isnoneornil(L, index) || FromLua<T>::is(L, index); }
  static std::optional<T> get(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return std::nullopt;
    return FromLua<T>::get(L, index);
  }
};

inline int push(lua_State* L, std::string_view text) { return push_text(L, text), 1; }
inline int push(lua_State* L, double number) { return lua_pushnumber(L, number), 1; }
inline int push(lua_State* L, bool boolean) { return lua_pushboolean(L, boolean), 1; }
inline int push(lua_State* L, const std::string& text) { return push_text(L, text), 1; }
template <typename T>
int push(lua_State* L, const std::optional<T>& value) {
  if (value) return push(L, *value);
  return lua_pushnil(L), 1;
}
/// A failure is `nil, "sentence"`: the error's detail.
template <typename T>
int push(lua_State* L, const Result<T>& result) {
  if (result.has_value()) return push(L, result.value());
  lua_pushnil(L);
  push_text(L, result.error().detail);
  return 2;
}

/// Makes a lua_CFunction of a plain C++ function: arguments are checked and converted by its parameter types,
/// what it returns is pushed. A first parameter of type BindingContext* gets the context.
template <auto Function>
struct PlainFunction;
template <typename R, typename... Args, R (*Function)(Args...)>
struct PlainFunction<Function> {
  static constexpr int first() {
    if constexpr (sizeof...(Args) > 0)
      return std::is_same_v<std::tuple_element_t<0, std::tuple<Args...>>, BindingContext*> ? 0 : 1;
    else return 1;
  }
  template <size_t... I>
  static int call(lua_State* L, std::index_sequence<I...>) {
    (check<Args>(L, first() + static_cast<int>(I)), ...);
    return push(L, Function(FromLua<Args>::get(L, first() + static_cast<int>(I))...));
  }
  template <typename Arg>
  static void check(lua_State* L, int index) {
    if (!FromLua<Arg>::is(L, index)) raise_argument(L, index, FromLua<Arg>::expectation);
  }
};
template <auto Function>
int plain_function(lua_State* L) {
  return PlainFunction<Function>::call(
      L, []<typename R, typename... A>(R (*)(A...)) { return std::index_sequence_for<A...>(); }(Function));
}

/// One function of a library: its signature ("encode(text)") and its Lua form.
struct FunctionEntry {
  const char* signature;
  lua_CFunction function;
};

/// Pushes a closure with the context and `signature` as its upvalues.
void push_function(lua_State* L, BindingContext& context, const char* signature, lua_CFunction function);
/// Adds functions to the table at the top of the stack, each under the name in front of its signature's
/// bracket; the signature is put behind `prefix` ("base64." or "headers:").
void add_functions(lua_State* L, BindingContext& context, const char* prefix,
                   std::initializer_list<FunctionEntry> functions);
/// Reads of what is not in the table of methods at the top of the stack raise: `a URLRouter has no "fnd"; did
/// you mean "find"?`.
void refuse_unknown_methods(lua_State* L, const char* class_name);
/// Pushes the table `name` of the table at the top of the stack, made when it is not there.
void push_subtable(lua_State* L, const char* name);

/// Userdata of ours begins with the address of its type's tag. A type T has `static constexpr char tag` of
/// its own and `const void* kind = &tag` as its first member.
template <typename T>
T* test_userdata(lua_State* L, int index) {
  auto* box = static_cast<T*>(lua_touserdata(L, index));
  // A light userdata has no length; json.null is the only one that scripts have.
  return box && lua_objlen(L, index) == sizeof(T) && box->kind == &T::tag ? box : nullptr;
}
/// The receiver of a metamethod that only Lua itself calls with it first (__index, __newindex, __len):
/// metatables are out of reach for scripts, so nothing else can stand there.
template <typename T>
T& receiver(lua_State* L) {
  return *static_cast<T*>(lua_touserdata(L, 1));
}
/// Like it, for argument `index` of the running function; raises.
template <typename T>
T& check_userdata(lua_State* L, int index, const char* expectation) {
  T* box = test_userdata<T>(L, index);
  if (!box) raise_argument(L, index, expectation);
  return *box;
}
/// Makes userdata, its constructor run, with the metatable of `reference` in the registry.
template <typename T, typename... Args>
T* new_userdata(lua_State* L, int reference, Args&&... args) {
  void* memory = lua_newuserdata(L, sizeof(T));
  T* box = new (memory) T(std::forward<Args>(args)...);
  lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
  lua_setmetatable(L, -2);
  return box;
}
/// The same with a metatable that luaL_newmetatable made.
template <typename T, typename... Args>
T* new_userdata(lua_State* L, const char* metatable, Args&&... args) {
  void* memory = lua_newuserdata(L, sizeof(T));
  T* box = new (memory) T(std::forward<Args>(args)...);
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
  return box;
}
/// The __gc of userdata that needs its destructor.
template <typename T>
int destroy_userdata(lua_State* L) {
  if (T* box = test_userdata<T>(L, 1)) {
    box->kind = nullptr;
    box->~T();
  }
  return 0;
}

/// Makes userdata with the metatable at the top of the stack destroy their T, and shuts that metatable away:
/// scripts could call the destructor. getmetatable gives them `name`.
template <typename T>
void set_destructor(lua_State* L, const char* name) {
  lua_pushcfunction(L, destroy_userdata<T>);
  lua_setfield(L, -2, "__gc");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable");
}

/// Simulated runs: the collector works when it is told to, and then does all there is to do
/// (make_runs_repeatable).
bool collects_at_fixed_times();
void collect_at_fixed_time(lua_State* L);

/// Garbage of scripts may hold bytes that the collector does not see (bodies): after every few megabytes it
/// is made to work.
void note_outside_bytes(lua_State* L, BindingContext& context, size_t bytes);

}  // namespace perilune::script
