#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "app/process.hpp"
#include "base/text.hpp"

namespace {

using perilune::app::GraphForm;
using perilune::app::RunOptions;
namespace log = perilune::log;

const std::map<std::string, log::Level> levels{{"debug", log::Level::Debug},
                                               {"info", log::Level::Info},
                                               {"warn", log::Level::Warn},
                                               {"error", log::Level::Error},
                                               {"off", log::Level::Off}};

const std::vector<std::string> commands{"run", "check", "graph", "help"};

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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Perilune, a scriptable proxy. `perilune FILE` is short for `perilune run FILE`."};
  app.name("perilune");
  app.set_version_flag("--version", "perilune " PERILUNE_VERSION);
  app.require_subcommand(1);

  RunOptions options;
  log::Level level = log::Level::Info;
  std::string drain = "10s";
  auto* run = app.add_subcommand("run", "Serve what the scripts say");
  run->add_option("FILE", options.files, "Scripts, run side by side")->required()->check(CLI::ExistingFile);
  run->add_option("--workers", options.workers, "Threads; default: one per processor")->check(CLI::Range(1U, 256U));
  run->add_option("--log-level", level, "debug, info, warn, error or off")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case));
  run->add_option("--drain", drain, "How long a stop waits for open connections, such as 10s or 1m");

  std::vector<std::string> files;
  auto* check = app.add_subcommand("check", "Load the scripts, open no port, say what is wrong");
  check->add_option("FILE", files, "Scripts")->required()->check(CLI::ExistingFile);

  std::string form = "text";
  auto* graph = app.add_subcommand("graph", "Print the pipelines of the scripts");
  graph->add_option("FILE", files, "Scripts")->required()->check(CLI::ExistingFile);
  graph->add_option("--format", form, "text or mermaid")->check(CLI::IsMember({"text", "mermaid"}));
  auto* help = app.add_subcommand("help", "Print this help");

  try {
    app.parse(spell_out(argc, argv));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;  // 1 is for scripts that fail
  }
  if (help->parsed()) {
    std::cout << app.help("", CLI::AppFormatMode::All);
    return 0;
  }
  log::set_level(level);
  if (check->parsed()) return perilune::app::check(files);
  if (graph->parsed()) return perilune::app::graph(files, form == "mermaid" ? GraphForm::Mermaid : GraphForm::Text);
  const auto wait = perilune::parse_duration(drain);
  if (!wait) {
    std::fprintf(stderr, "perilune: --drain: \"%s\" is no time; write 10s or 1m\n", drain.c_str());
    return 2;
  }
  options.drain = *wait;
  return perilune::app::run(options);
}
