#include "base/log.hpp"
#include "fuzz.hpp"
#include "script/script_world.hpp"

namespace {

/// Tables, numbers and strings only: what could run for ever is for other tests.
bool is_plain(std::string_view text) {
  for (const std::string_view word : {"while", "for", "repeat", "goto", "function", "rep", "("})
    if (text.find(word) != std::string_view::npos) return false;
  return text.size() < 2000;
}

}  // namespace

/// A byte that chooses whom the options are for, then what stands between the brackets of their table. It loads, or
/// says in one sentence, with its place, why not.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
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
  };
  fuzz::Decisions decisions(data, size);
  const auto& [before, behind] = calls[decisions.byte() % std::size(calls)];
  const std::string_view text = decisions.rest();
  if (!is_plain(text)) return 0;
  perilune::log::set_level(perilune::log::Level::Off);
  script::ScriptWorld world;
  const std::string said = world.load(before + std::string(text) + behind);
  fuzz::require(said.empty() || said.starts_with("main.lua:"), "what is wrong is said with its place", text, said);
  return 0;
}
