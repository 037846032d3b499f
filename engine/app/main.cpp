#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "app/new_project.hpp"
#include "app/process.hpp"
#include "base/text.hpp"
#include "net/resolver.hpp"

namespace {

using perilune::app::GraphForm;
using perilune::app::RunOptions;
using perilune::app::Warnings;
namespace log = perilune::log;

const std::vector<std::string> level_names{"debug", "info", "warn", "error", "off"};

log::Level level_of(const std::string& name) {
  constexpr log::Level levels[] = {log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error,
                                   log::Level::Off};
  return levels[std::find(level_names.begin(), level_names.end(), name) - level_names.begin()];
}

const std::vector<std::string> commands{"run", "check", "graph", "new", "help"};

/// `perilune FILE…` is short for `perilune run FILE…`.
std::vector<std::string> spell_out(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto first = std::find_if(words.begin(), words.end(), [](const std::string& word) { return word[0] != '-'; });
  const bool names_command = first != words.end() && std::find(commands.begin(), commands.end(), *first) != commands.end();
  const bool asks_for_help = !words.empty() && (words[0] == "--help" || words[0] == "-h" || words[0] == "--version");
  if (!words.empty() && !names_command && !asks_for_help) words.insert(words.begin(), "run");
  // CLI11 takes words from the end.
  std::reverse(words.begin(), words.end());
  return words;
}

/// A word that is neither a known option nor a file, in words; empty when there is none. `words` as CLI11 takes
/// them, from the end.
std::string unknown_word(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = nullptr;
  for (const CLI::App* known : app.get_subcommands({}))
    if (!words.empty() && known->get_name() == words.back()) command = known;
  if (!command) return {};
  std::vector<std::string> names;
  for (const CLI::Option* option : command->get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (auto word = words.rbegin() + 1; word != words.rend(); ++word) {
    if (!word->starts_with("--") || *word == "--") continue;
    const std::string given = word->substr(0, word->find('='));
    if (std::find(names.begin(), names.end(), given) != names.end()) continue;
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string_view near = perilune::nearest(given, known);
    return command->get_name() + " has no option " + given +
           (near.empty() ? "" : "; did you mean " + std::string(near) + "?");
  }
  return {};
}

/// Complains where `text` is no time.
bool read_time(const char* option, const std::string& text, perilune::Duration& time) {
  const auto read = perilune::parse_duration(text);
  if (!read) std::fprintf(stderr, "perilune: %s: \"%s\" is no time; write 10s or 1m\n", option, text.c_str());
  else time = *read;
  return read.has_value();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Perilune, a scriptable proxy. `perilune FILE` is short for `perilune run FILE`."};
  app.name("perilune");
  app.set_version_flag("--version", "perilune " PERILUNE_VERSION);
  app.require_subcommand(1);

  RunOptions options;
  std::string drain = "10s";
  auto* run = app.add_subcommand("run", "Serve what the scripts say");
  run->add_option("FILE", options.files, "Scripts, run side by side")->required()->check(CLI::ExistingFile);
  run->add_option("--workers", options.workers, "Threads; default: one per processor")->check(CLI::Range(1U, 256U));
  std::string level_name = "info";
  run->add_option("--log-level", level_name, "debug, info, warn, error or off")->check(CLI::IsMember(level_names));
  run->add_option("--drain", drain, "How long a stop waits for open connections, such as 10s or 1m");
  run->add_flag("--watch", options.watches, "Load the scripts anew when one of their files changes");
  std::string old_version = "1h";
  run->add_option("--reload-drain", old_version,
                  "How long downloads and tunnels may keep a version of the scripts that was replaced, such as 10m");

  run->add_option("--dns", options.dns, "DNS servers to ask, ip:port,…; default: those of /etc/resolv.conf")
      ->check([](const std::string& servers) {
        const auto parsed = perilune::net::parse_servers(servers);
        return parsed ? std::string() : parsed.error().detail;
      });

  std::vector<std::string> files;
  auto* check = app.add_subcommand("check", "Load the scripts, open no port, say what is wrong");
  check->add_option("FILE", files, "Scripts")->required()->check(CLI::ExistingFile);
  bool is_strict = false;
  check->add_flag("--strict", is_strict, "Warnings fail too");

  std::string form = "text";
  auto* graph = app.add_subcommand("graph", "Print the pipelines of the scripts");
  graph->add_option("FILE", files, "Scripts")->required()->check(CLI::ExistingFile);
  graph->add_option("--format", form, "text, mermaid or svg")->check(CLI::IsMember({"text", "mermaid", "svg"}));

  std::string project;
  auto* make = app.add_subcommand("new", "Make a folder with a proxy, its test and settings for editors");
  make->add_option("NAME", project, "The folder, which is not there yet")->required();
  auto* help = app.add_subcommand("help", "Print this help");

  const std::vector<std::string> words = spell_out(argc, argv);
  if (const std::string wrong = unknown_word(app, words); !wrong.empty()) {
    std::fprintf(stderr, "perilune: %s\n", wrong.c_str());
    return 2;
  }
  try {
    app.parse(std::vector<std::string>(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "perilune: %s\nSee perilune --help.\n", error.what());
    return 2;  // 1 is for scripts that fail
  }
  if (help->parsed()) {
    std::cout << app.help("", CLI::AppFormatMode::All);
    return 0;
  }
  log::set_level(level_of(level_name));
  if (check->parsed()) return perilune::app::check(files, is_strict ? Warnings::Fail : Warnings::Say);
  if (make->parsed()) return perilune::app::make_project(project);
  if (graph->parsed())
    return perilune::app::graph(files, form == "svg"       ? GraphForm::Svg
                                       : form == "mermaid" ? GraphForm::Mermaid
                                                           : GraphForm::Text);
  if (!read_time("--drain", drain, options.drain)) return 2;
  if (!read_time("--reload-drain", old_version, options.old_version_timeout)) return 2;
  return perilune::app::run(options);
}
