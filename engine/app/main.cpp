#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "app/command_words.hpp"
#include "app/commands.hpp"
#include "app/new_project.hpp"
#include "app/process.hpp"
#include "app/test_command.hpp"
#include "base/text.hpp"
#include "net/resolver.hpp"

namespace {

using perilune::app::AdminWords;
using perilune::app::fault_of_script;
using perilune::app::GraphForm;
using perilune::app::RunOptions;
using perilune::app::StatusForm;
using perilune::app::Warnings;
namespace log = perilune::log;

/// The command that the words begin with, or null. `words` as spell_out gives them.
const CLI::App* command_of(const CLI::App& app, const std::vector<std::string>& words) {
  for (const CLI::App* known : app.get_subcommands({}))
    if (!words.empty() && known->get_name() == words[0]) return known;
  return nullptr;
}

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

/// An option that the command does not know, in words; empty when there is none.
std::string unknown_option(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = command_of(app, words);
  if (!command) return {};
  const std::vector<std::string> names = options_of(*command);
  for (auto word = words.begin() + 1; word != words.end(); ++word) {
    if (!word->starts_with("--") || *word == "--") continue;
    const std::string given = word->substr(2, word->find('=') - 2);
    if (std::find(names.begin(), names.end(), given) != names.end()) continue;
    const std::string sentence = command->get_name() + " has no option --" + given;
    if (const std::string owners = owners_of(app, given); !owners.empty()) return sentence + "; " + owners;
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string_view near = perilune::nearest(given, known);
    return sentence + (near.empty() ? "" : "; did you mean --" + std::string(near) + "?");
  }
  return {};
}

/// A command line that is wrong. `command` may be null.
int refuse(const std::string& sentence, const CLI::App* command) {
  const std::string who = command ? "perilune " + command->get_name() : "perilune";
  std::fprintf(stderr, "perilune: %s\nSee %s --help.\n", sentence.c_str(), who.c_str());
  return 2;  // 1 is for scripts that fail
}

/// What is wrong with a time of an option, in a sentence; empty when nothing is.
std::string fault_of_time(const char* option, const std::string& text, perilune::Duration& time) {
  const auto read = perilune::parse_duration(text);
  if (!read) return std::string(option) + ": \"" + text + "\" is no time; write 10s or 1m";
  time = *read;
  return {};
}

std::string fault_of_seed(const std::string& text) {
  return perilune::parse_decimal(text) ? std::string()
                                       : "\"" + text + "\" is no seed: write a whole number of at least 0";
}

/// What CLI11 says, without the name of a place for files in front.
std::string sentence_of(const CLI::ParseError& error) {
  const std::string sentence = error.what();
  return sentence.starts_with("FILE: ") ? sentence.substr(6) : sentence;
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
  app.set_version_flag("-v,--version", "perilune " PERILUNE_VERSION);
  app.require_subcommand(1);

  RunOptions options;
  std::string drain = "10s";
  auto* run = app.add_subcommand("run", "Serve what the scripts say");
  run->add_option("FILE", options.files, "Scripts, run side by side")->required()->check(fault_of_script);
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
  check->add_option("FILE", files, "Scripts")->required()->check(fault_of_script);
  bool is_strict = false;
  check->add_flag("--strict", is_strict, "Warnings fail too");

  std::string form = "text";
  auto* graph = app.add_subcommand("graph", "Print the pipelines of the scripts");
  graph->add_option("FILE", files, "Scripts")->required()->check(fault_of_script);
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
  test->add_option("--seed", tests.seed, "Seed of every test, and the only one of chaos runs")
      ->check(fault_of_seed);
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
  app.add_subcommand("help", "Print this help, or with the name of a command that command's");
  for (CLI::App* command : app.get_subcommands({}))
    command->set_version_flag("--version", "perilune " PERILUNE_VERSION);

  const auto spelled = perilune::app::spell_out({argv + 1, argv + argc});
  const CLI::App* const command = command_of(app, spelled.words);
  if (!spelled.wrong.empty()) return refuse(spelled.wrong, command);
  if (const std::string wrong = unknown_option(app, spelled.words); !wrong.empty())
    return refuse(wrong, command);
  try {
    // CLI11 takes words from the end.
    app.parse(std::vector<std::string>(spelled.words.rbegin(), spelled.words.rend()));
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : refuse(sentence_of(error), command);
  }
  if (const std::string wrong = log::set_levels(levels); !wrong.empty())
    return refuse("--log-level: " + wrong, command);
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
  if (const auto wrong = fault_of_time("--drain", drain, options.drain); !wrong.empty())
    return refuse(wrong, command);
  if (const auto wrong = fault_of_time("--reload-drain", old_version, options.old_version_timeout);
      !wrong.empty())
    return refuse(wrong, command);
  admin.allows_any |= !run->parsed();  // of whom it asks a command does not judge
  if (!perilune::app::is_off(admin)) {
    auto address = perilune::app::read_admin_address(admin);
    if (!address) return refuse(address.error().detail, command);
    options.admin = std::move(*address);
  } else if (!run->parsed()) {
    return refuse("--admin: a process without an admin address cannot be asked", command);
  }
  if (reload->parsed()) return perilune::app::command_reload(*options.admin);
  if (stop->parsed()) return perilune::app::command_stop(*options.admin);
  if (status->parsed())
    return perilune::app::command_status(*options.admin, as_json ? StatusForm::Json : StatusForm::Table);
  options.program_version = PERILUNE_VERSION;
  return perilune::app::run(options);
}
