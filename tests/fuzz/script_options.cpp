#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"
#include "fuzz.hpp"
#include "script/script_world.hpp"

namespace perilune::fuzz {
namespace {

/// Whom a table of options is for: what stands in front of its entries and behind them.
constexpr std::pair<const char*, const char*> calls[] = {
    {"listen(1, {", "}):connect('a:1')"},
    {"listen(1):connect('a:1', {", "})"},
    {"listen(1):demuxHTTP(pipeline():muxHTTP(pipeline():connect('a:1'), 'k', {", "}))"},
    {"listen(1):serveHTTP(Message {", "})"},
    {"listen(1):serveHTTP(Message 'x', {", "})"},
    {"listen(1):connect('a:1'); algo.ResourcePool(print, {", "})"},
    {"listen(1):connect('a:1'); algo.Cache(print, print, {", "})"},
    {"listen(1):connect('a:1'); algo.RoundRobinLoadBalancer {", "}"},
    {"listen(1):connect('a:1'); algo.URLRouter {", "}"},
    {"listen(1):connect('a:1'); every(1, print, {", "})"},
    {"listen(1):connect('a:1'); context {", "}"},
    {"listen(1):demuxHTTP(pipeline():handleMessage(print, {", "}):replaceMessage(Message 'x'))"},
    {"listen(1):demuxHTTP(pipeline():replaceMessage(Message 'x'), {", "})"},
    {"listen(1):demuxHTTP(pipeline():replaceMessageBody(print, {", "}):replaceMessage(Message 'x'))"},
    {"pipeline 'x':connect('a:1'); listen(1):route(print, {", "})"},
    {"listen(1):connect('a:1'); algo.LeastWorkLoadBalancer {", "}"},
    {"listen(1):connect('a:1'); algo.HashingLoadBalancer {", "}"},
    {"listen(1):connect('a:1'); stats.Counter('a', {", "})"},
    {"listen(1):connect('a:1'); stats.Histogram('a', {}, {", "})"},
    {"listen(1):connect('a:1'); json.encode({", "})"},
    {"listen(1):connect('a:1'); url.query({", "})"},
    {"listen(1):connect('a:1'); log.info('a', {", "})"},
    {"listen(1):demuxHTTP(pipeline():timeout({", "}):replaceMessage(Message 'x'))"},
    {"listen({", "}):connect('a:1')"},
    {"listen(1):connect({", "})"},
    {"local api = upstream('a', {", "}) listen(1):demuxHTTP(pipeline():forward(api))"},
    {"local api = upstream('a', { endpoints = {", "} }) listen(1):demuxHTTP(pipeline():forward(api))"},
    {"local api = upstream('a', { endpoints = { 'a:1' } }) listen(1):demuxHTTP(pipeline():forward(api, {",
     "}))"},
};

/// Tables, numbers and strings only: what could run for ever, reads files, or says what it likes is for other
/// tests.
bool is_plain(std::string_view text) {
  for (const std::string_view word :
       {"while", "for", "repeat", "goto", "function", "rep", "(", "file", "require", "load", "error"})
    if (text.find(word) != std::string_view::npos) return false;
  return text.size() < 2000;
}

/// "main.lua:7: sentence", which a terminal only shows.
bool is_placed_sentence(std::string_view said) {
  constexpr std::string_view file = "main.lua:";
  if (!said.starts_with(file)) return false;
  said.remove_prefix(file.size());
  const size_t digits = std::min(said.find_first_not_of("0123456789"), said.size());
  if (digits == 0 || said[0] == '0' || !said.substr(digits).starts_with(": ")) return false;
  said.remove_prefix(digits + 2);
  // Lua's own words quote as they like.
  for (const char* words : {" near ", "attempt to ", "bad argument"})
    if (said.find(words) != std::string_view::npos) return true;
  if (said.empty()) return false;
  for (size_t size; !said.empty(); said.remove_prefix(size))
    if ((size = shown_size(said)) == 0) return false;
  return true;
}

}  // namespace
}  // namespace perilune::fuzz

/// A byte that chooses whom the options are for, then what stands between the brackets of their table. It
/// loads, or says in one sentence, with its place, why not.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  fuzz::Decisions decisions(data, size);
  const auto& [before, behind] = fuzz::calls[decisions.byte() % std::size(fuzz::calls)];
  const std::string_view text = decisions.rest();
  if (!fuzz::is_plain(text)) return 0;
  perilune::log::set_level(perilune::log::Level::Off);
  script::ScriptWorld world;
  const std::string script = before + std::string(text) + behind;
  const std::string said = world.load(script);
  fuzz::require(said.empty() || fuzz::is_placed_sentence(said),
                "what is wrong is said in a line with its place", text, said);
  return 0;
}
