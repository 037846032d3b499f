#include "base/text.hpp"
#include "script/http_date.hpp"
#include "script/stack.hpp"

namespace perilune::script {
namespace {

double now(BindingContext* context) { return context->driver.wall_seconds(); }
double monotonic(BindingContext* context) { return to_seconds(context->driver.now().time_since_epoch()); }

Result<std::string> format(BindingContext* context, std::optional<double> seconds) {
  if (auto text = format_http_date(seconds ? *seconds : now(context))) return std::move(*text);
  return Error{ErrorCode::ScriptError, Side::Script, "a date is from 1970 to 9999"};
}

Result<double> parse(std::string_view text) {
  if (const auto seconds = parse_http_date(text)) return *seconds;
  return Error{ErrorCode::ScriptError, Side::Script, "not an HTTP date: " + in_quotes(text, 64)};
}

}  // namespace

void bind_time(lua_State* L, BindingContext& context) {
  push_subtable(L, "time");
  add_functions(L, context, "time.",
                {{"now()", &plain_function<&now>},
                 {"monotonic()", &plain_function<&monotonic>},
                 {"format(seconds)", &plain_function<&format>},
                 {"parse(text)", &plain_function<&parse>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
