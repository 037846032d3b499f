#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "app/commands.hpp"
#include "app/new_project.hpp"
#include "app/process.hpp"
#include "app/test_command.hpp"
#include "base/text.hpp"
#include "net/resolver.hpp"

namespace {

using perilune::app::AdminWords;
using perilune::app::GraphForm;
using perilune::app::RunOptions;
using perilune::app::StatusForm;
using perilune::app::Warnings;
namespace log = perilune::log;

const std::vector<std::string> commands{"run",    "check",  "test", "graph", "new",
                                        "reload", "status", "stop", "help"};

/// `perilune FILE…` is short for `perilune run FILE…`.
std::vector<std::string> spell_out(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto first =
      std::find_if(words.begin(), words.end(), [](const std::string& word) { return word[0] != '-'; });
  const bool names_command =
      first != words.end() && std::find(commands.begin(), commands.end(), *first) != commands.end();
  const bool asks_for_help =
      !words.empty() && (words[0] == "--help" || words[0] == "-h" || words[0] == "--version");
  if (!words.empty() && !names_command && !asks_for_help) words.insert(words.begin(), "run");
  // CLI11 takes words from the end.
  std::reverse(words.begin(), words.end());
  return words;
}

/// A word that is neither a known option nor a file, in words; empty when there is none. `words` as CLI11
/// takes them, from the end.
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

int refuse(const std::string& sentence) {
  std::fprintf(stderr, "perilune: %s\n", sentence.c_str());
  return 2;
}

void add_admin(CLI::App& command, AdminWords& words) {
  command.add_option(
      "--admin", words.address,
      "The admin address: unix:PATH, IP:PORT, a port of 127.0.0.1, or off; default: a unix socket in "
      "$XDG_RUNTIME_DIR, /run (root) or /tmp");
  command.add_option(
      "--admin-token-file", words.token_file,
      "The file with the token of a TCP admin address; default: the variable PERILUNE_ADMIN_TOKEN");
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
  run->add_option("--workers", options.workers, "Threads; default: one per processor")
      ->check(CLI::Range(1U, 256U));
  std::string levels = "info";
  run->add_option("--log-level", levels,
                  "debug, info, warn, error or off; with a room, as in info,upstream=debug, for that one");
  std::string log_format = "text";
  run->add_option("--log-format", log_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  run->add_option("--drain", drain, "How long a stop waits for open connections, such as 10s or 1m");
  run->add_flag("--watch", options.watches, "Load the scripts anew when one of their files changes");
  std::string old_version = "1h";
  run->add_option(
      "--reload-drain", old_version,
      "How long downloads and tunnels may keep a version of the scripts that was replaced, such as 10m");

  run->add_option("--dns", options.dns, "DNS servers to ask, ip:port,…; default: those of /etc/resolv.conf")
      ->check([](const std::string& servers) {
        const auto parsed = perilune::net::parse_servers(servers);
        return parsed ? std::string() : parsed.error().detail;
      });

  AdminWords admin;
  add_admin(*run, admin);
  run->add_flag("--admin-any", admin.allows_any, "Allow an admin address that other machines reach");

  std::vector<std::string> files;
  auto* check = app.add_subcommand("check", "Load the scripts, open no port, say what is wrong");
  check->add_option("FILE", files, "Scripts")->required()->check(CLI::ExistingFile);
  bool is_strict = false;
  check->add_flag("--strict", is_strict, "Warnings fail too");

  std::string form = "text";
  auto* graph = app.add_subcommand("graph", "Print the pipelines of the scripts");
  graph->add_option("FILE", files, "Scripts")->required()->check(CLI::ExistingFile);
  graph->add_option("--format", form, "text, mermaid or svg")
      ->check(CLI::IsMember({"text", "mermaid", "svg"}));

  std::string project;
  auto* make = app.add_subcommand("new", "Make a folder with a proxy, its test and settings for editors");
  make->add_option("NAME", project, "The folder, which is not there yet")->required();

  perilune::app::TestOptions tests;
  std::string tests_form = "text";
  auto* test = app.add_subcommand("test", "Run tests of scripts on a simulated network, in virtual time");
  test->add_option("PATH", tests.paths,
                   "Files of tests, and folders with *_test.lua and test.lua; default: .")
      ->check(CLI::ExistingPath);
  test->add_option("--format", tests_form, "text, tap or junit")
      ->check(CLI::IsMember({"text", "tap", "junit"}));
  test->add_option("--filter", tests.filter, "Only tests with this text in their name");
  test->add_option("--seed", tests.seed, "Seed of every test, and the only one of chaos runs");
  test->add_flag("--coverage", tests.wants_coverage, "Say which lines of the scripts ran");
  test->add_flag("--watch", tests.watches, "Run again when a file changes");

  auto* reload = app.add_subcommand("reload", "Have a running process load its scripts anew");
  add_admin(*reload, admin);
  auto* stop = app.add_subcommand(
      "stop", "Have a running process drain and end, and wait for it; a second stop ends it at once");
  add_admin(*stop, admin);
  auto* status = app.add_subcommand("status", "Show how a running process is");
  add_admin(*status, admin);
  bool as_json = false;
  status->add_flag("--json", as_json, "As JSON");
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
  if (const std::string wrong = log::set_levels(levels); !wrong.empty())
    return refuse("--log-level: " + wrong);
  if (log_format == "json") log::set_format(log::Format::Json);
  if (test->parsed()) {
    using perilune::app::TestFormat;
    tests.format = tests_form == "tap"     ? TestFormat::Tap
                   : tests_form == "junit" ? TestFormat::JUnit
                                           : TestFormat::Text;
    return perilune::app::test(tests);
  }
  if (check->parsed()) return perilune::app::check(files, is_strict ? Warnings::Fail : Warnings::Say);
  if (make->parsed()) return perilune::app::make_project(project);
  if (graph->parsed())
    return perilune::app::graph(files, form == "svg"       ? GraphForm::Svg
                                       : form == "mermaid" ? GraphForm::Mermaid
                                                           : GraphForm::Text);
  if (!read_time("--drain", drain, options.drain)) return 2;
  if (!read_time("--reload-drain", old_version, options.old_version_timeout)) return 2;
  admin.allows_any |= !run->parsed();  // of whom it asks a command does not judge
  if (!perilune::app::is_off(admin)) {
    auto address = perilune::app::read_admin_address(admin);
    if (!address) return refuse(address.error().detail);
    options.admin = std::move(*address);
  } else if (!run->parsed()) {
    return refuse("--admin: a process without an admin address cannot be asked");
  }
  if (reload->parsed()) return perilune::app::command_reload(*options.admin);
  if (stop->parsed()) return perilune::app::command_stop(*options.admin);
  if (status->parsed())
    return perilune::app::command_status(*options.admin, as_json ? StatusForm::Json : StatusForm::Table);
  options.program_version = PERILUNE_VERSION;
  return perilune::app::run(options);
}
