#include "app/command_line.hpp"

#include <cstdio>
#include <utility>

#include "app/command_words.hpp"
#include "app/commands.hpp"
#include "app/new_project.hpp"
#include "app/option_faults.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace perilune::app {
namespace {

constexpr const char* version = "perilune " PERILUNE_VERSION;

/// A command line that is wrong. `command` may be null.
int refuse(const std::string& sentence, const CLI::App* command) {
  const std::string who = command ? "perilune " + command->get_name() : "perilune";
  std::fprintf(stderr, "perilune: %s\nSee %s --help.\n", sentence.c_str(), who.c_str());
  return 2;  // 1 is for scripts that fail
}

}  // namespace

CommandLine::CommandLine()
    : app_("Perilune, a scriptable proxy. `perilune FILE` is short for `perilune run FILE`.") {
  app_.name("perilune");
  app_.set_version_flag("-v,--version", version);
  app_.require_subcommand(1);
  add_run();
  add_check();
  add_graph();
  add_new();
  add_test();
  add_talks();
  app_.add_subcommand("help", "Print this help, or with the name of a command that command's");
  for (CLI::App* command : app_.get_subcommands({})) command->set_version_flag("--version", version);
}

int CommandLine::run(const std::vector<std::string>& words) {
  const CommandWords spelled = spell_out(words);
  command_ = command_of(app_, spelled.words);
  if (!spelled.wrong.empty()) return refuse(spelled.wrong, command_);
  if (const std::string wrong = fault_of_options(app_, spelled.words); !wrong.empty())
    return refuse(wrong, command_);
  try {
    // CLI11 takes words from the end.
    app_.parse(std::vector<std::string>(spelled.words.rbegin(), spelled.words.rend()));
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app_.exit(error) : refuse(sentence_of(error), command_);
  }
  for (const auto& [command, action] : actions_)
    if (command->parsed()) return action();
  return 0;
}

CLI::App& CommandLine::add(const char* name, const char* purpose, Action action) {
  CLI::App& command = *app_.add_subcommand(name, purpose);
  actions_.emplace_back(&command, std::move(action));
  return command;
}

void CommandLine::add_files(CLI::App& command) {
  command.add_option("FILE", files_, "Scripts")->required()->check(fault_of_script);
}

void CommandLine::add_admin(CLI::App& command) {
  command.add_option(
      "--admin", admin_.address,
      "The admin address: unix:PATH, IP:PORT, a port of 127.0.0.1, or off; default: a unix socket in "
      "$XDG_RUNTIME_DIR, /run (root) or /tmp");
  command.add_option(
      "--admin-token-file", admin_.token_file,
      "The file with the token of a TCP admin address; default: the variable PERILUNE_ADMIN_TOKEN");
}

void CommandLine::add_run() {
  CLI::App& command = add("run", "Serve what the scripts say", [this] { return serve(); });
  command.add_option("FILE", serving_.files, "Scripts, run side by side")->required()->check(fault_of_script);
  command.add_option("--workers", serving_.workers, "Threads; default: one per processor")
      ->check(CLI::Range(1U, 256U));
  command
      .add_option("--log-level", levels_,
                  "debug, info, warn, error or off; with a room, as in info,upstream=debug, for that one")
      ->check(log::set_levels);
  command.add_option("--log-format", log_format_, "text or json")->check(CLI::IsMember({"text", "json"}));
  command.add_option("--drain", drain_, "How long a stop waits for open connections, such as 10s or 1m")
      ->check(fault_of_time);
  command.add_flag("--watch", serving_.watches, "Load the scripts anew when one of their files changes");
  command
      .add_option("--reload-drain", old_version_,
                  "How long downloads and tunnels may keep a version of the scripts that was replaced, such "
                  "as 10m")
      ->check(fault_of_time);
  command
      .add_option("--dns", serving_.dns, "DNS servers to ask, ip:port,…; default: those of /etc/resolv.conf")
      ->check(fault_of_dns);
  add_admin(command);
  command.add_flag("--admin-any", admin_.allows_any, "Allow an admin address that other machines reach");
}

int CommandLine::serve() {
  if (log_format_ == "json") log::set_format(log::Format::Json);
  serving_.drain = *parse_duration(drain_);
  serving_.old_version_timeout = *parse_duration(old_version_);
  serving_.program_version = PERILUNE_VERSION;
  if (is_off(admin_)) return app::run(serving_);
  auto address = read_admin_address(admin_);
  if (!address) return refuse(address.error().detail, command_);
  serving_.admin = std::move(*address);
  return app::run(serving_);
}

void CommandLine::add_check() {
  CLI::App& command = add("check", "Load the scripts, open no port, say what is wrong",
                          [this] { return check(files_, is_strict_ ? Warnings::Fail : Warnings::Say); });
  add_files(command);
  command.add_flag("--strict", is_strict_, "Warnings fail too");
}

void CommandLine::add_graph() {
  CLI::App& command = add("graph", "Print the pipelines of the scripts", [this] {
    return graph(files_, form_ == "svg"       ? GraphForm::Svg
                         : form_ == "mermaid" ? GraphForm::Mermaid
                                              : GraphForm::Text);
  });
  add_files(command);
  command.add_option("--format", form_, "text, mermaid or svg")
      ->check(CLI::IsMember({"text", "mermaid", "svg"}));
}

void CommandLine::add_new() {
  add("new", "Make a folder with a proxy, its test and settings for editors",
      [this] { return make_project(project_); })
      .add_option("NAME", project_, "The folder, which is not there yet")
      ->required();
}

void CommandLine::add_test() {
  CLI::App& command = add("test", "Run tests of scripts on a simulated network, in virtual time", [this] {
    tests_.format = form_ == "tap"     ? TestFormat::Tap
                    : form_ == "junit" ? TestFormat::JUnit
                                       : TestFormat::Text;
    return test(tests_);
  });
  command
      .add_option("PATH", tests_.paths,
                  "Files of tests, and folders with *_test.lua and test.lua; default: .")
      ->check(CLI::ExistingPath);
  command.add_option("--format", form_, "text, tap or junit")->check(CLI::IsMember({"text", "tap", "junit"}));
  command.add_option("--filter", tests_.filter, "Only tests with this text in their name");
  command.add_option("--seed", tests_.seed, "Seed of every test, and the only one of chaos runs")
      ->check(fault_of_seed);
  command.add_flag("--coverage", tests_.wants_coverage, "Say which lines of the scripts ran");
  command.add_flag("--watch", tests_.watches, "Run again when a file changes");
}

void CommandLine::add_talks() {
  add_admin(
      add("reload", "Have a running process load its scripts anew", [this] { return ask(command_reload); }));
  add_admin(add("stop",
                "Have a running process drain and end, and wait for it; a second stop ends it at once",
                [this] { return ask(command_stop); }));
  CLI::App& status = add("status", "Show how a running process is", [this] {
    return ask([this](const AdminAddress& address) {
      return command_status(address, as_json_ ? StatusForm::Json : StatusForm::Table);
    });
  });
  add_admin(status);
  status.add_flag("--json", as_json_, "As JSON");
}

int CommandLine::ask(const std::function<int(const AdminAddress&)>& question) {
  if (is_off(admin_)) return refuse("--admin: a process without an admin address cannot be asked", command_);
  admin_.allows_any = true;  // of whom it asks a command does not judge
  const auto address = read_admin_address(admin_);
  if (!address) return refuse(address.error().detail, command_);
  return question(*address);
}

}  // namespace perilune::app
