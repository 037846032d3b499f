#include "app/command_words.hpp"

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"

namespace perilune::app {
namespace {

bool is_command(const std::string& word) {
  return std::ranges::find(command_names(), word) != command_names().end();
}

bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool is_option(const std::string& word) { return word.starts_with('-'); }

std::string near_command(const std::string& word) {
  const std::vector<std::string_view> known(command_names().begin(), command_names().end());
  const std::string_view near = nearest(word, known);
  return near.empty() ? "" : "; did you mean " + std::string(near) + "?";
}

CommandWords refusal(std::string sentence) { return {{}, std::move(sentence)}; }

/// `help`, and `help COMMAND`.
CommandWords spell_out_help(const std::vector<std::string>& words) {
  if (words.size() == 1 || is_option(words[1])) return {{"--help"}, {}};
  if (words[1] == "help") return {{"--help"}, {}};
  if (is_command(words[1])) return {{words[1], "--help"}, {}};
  return refusal("there is no command " + in_quotes(words[1]) + near_command(words[1]));
}

}  // namespace

const std::vector<std::string>& command_names() {
  static const std::vector<std::string> names{"run",    "check",  "test", "graph", "new",
                                              "reload", "status", "stop", "help"};
  return names;
}

CommandWords spell_out(std::vector<std::string> words) {
  if (words.empty()) return refusal("there is no command; perilune FILE serves what a script says");
  const std::string first = words[0];
  if (first == "--help" || first == "-h") return {{"--help"}, {}};
  if (first == "--version" || first == "-v" || (first == "version" && !is_there(first)))
    return {{"--version"}, {}};
  if (first == "help") return spell_out_help(words);
  if (is_command(first)) return {std::move(words), {}};
  if (!is_option(first) && !is_there(first) && first.find_first_of("./") == std::string::npos)
    return refusal("there is no command and no file " + in_quotes(first) + near_command(first));
  const auto late = std::ranges::find_if(
      words, [](const std::string& word) { return is_command(word) && !is_there(word); });
  if (is_option(first) && late != words.end())
    return refusal("the command comes first: perilune " + *late + " " + first + " …");
  words.insert(words.begin(), "run");
  return {std::move(words), {}};
}

std::string fault_of_script(const std::string& path) {
  std::error_code ignored;
  if (!is_there(path)) return "there is no file " + in_quotes(path, path.size());
  if (std::filesystem::is_directory(path, ignored))
    return in_quotes(path, path.size()) + " is a folder; name the script in it";
  return {};
}

}  // namespace perilune::app
