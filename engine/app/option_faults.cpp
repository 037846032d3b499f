#include "app/option_faults.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "net/resolver.hpp"

namespace perilune::app {
namespace {

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  return names;
}

/// "graph and test have it": the commands with this option; empty for none.
std::string owners_of(const CLI::App& app, const std::string& option) {
  std::vector<std::string> owners;
  for (const CLI::App* command : app.get_subcommands({})) {
    const auto names = options_of(*command);
    if (std::find(names.begin(), names.end(), option) != names.end()) owners.push_back(command->get_name());
  }
  std::string text;
  for (size_t i = 0; i < owners.size(); ++i)
    text += (i == 0 ? "" : i + 1 == owners.size() ? " and " : ", ") + owners[i];
  return text.empty() ? text : text + (owners.size() == 1 ? " has it" : " have it");
}

}  // namespace

const CLI::App* command_of(const CLI::App& app, const std::vector<std::string>& words) {
  for (const CLI::App* known : app.get_subcommands({}))
    if (!words.empty() && known->get_name() == words[0]) return known;
  return nullptr;
}

std::string fault_of_options(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = command_of(app, words);
  if (!command) return {};
  const std::vector<std::string> names = options_of(*command);
  for (auto word = words.begin() + 1; word != words.end(); ++word) {
    if (!word->starts_with("--") || *word == "--") continue;
    const std::string given = word->substr(2, word->find('=') - 2);
    if (std::find(names.begin(), names.end(), given) != names.end()) continue;
    std::string sentence = command->get_name() + " has no option --" + given;
    if (const std::string owners = owners_of(app, given); !owners.empty())
      return sentence.append("; ").append(owners);
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string_view near = nearest(given, known);
    return near.empty() ? sentence : sentence.append("; did you mean --").append(near).append("?");
  }
  return {};
}

std::string fault_of_time(const std::string& text) {
  return parse_duration(text) ? std::string() : "\"" + text + "\" is no time; write 10s or 1m";
}

std::string fault_of_seed(const std::string& text) {
  return parse_decimal(text) ? std::string()
                             : "\"" + text + "\" is no seed: write a whole number of at least 0";
}

std::string fault_of_dns(const std::string& servers) {
  const auto parsed = net::parse_servers(servers);
  return parsed ? std::string() : parsed.error().detail;
}

std::string sentence_of(const CLI::ParseError& error) {
  const std::string sentence = error.what();
  return sentence.starts_with("FILE: ") ? sentence.substr(6) : sentence;
}

}  // namespace perilune::app
