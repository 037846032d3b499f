#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "app/admin_address.hpp"
#include "app/process.hpp"
#include "app/test_command.hpp"

namespace perilune::app {

/// The commands of `perilune` with their options, and what each does.
class CommandLine {
 public:
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Does what the words say, those behind the program's name. Returns the exit code of the process: that of
  /// the command, 0 for help and version, and 2 for words that are wrong, after a sentence that says so.
  int run(const std::vector<std::string>& words);

 private:
  using Action = std::function<int()>;
  CLI::App& add(const char* name, const char* purpose, Action action);
  void add_run();
  void add_check();
  void add_graph();
  void add_new();
  void add_test();
  /// Those that talk to a running process.
  void add_talks();
  void add_files(CLI::App& command);
  void add_admin(CLI::App& command);

  int serve();
  int ask(const std::function<int(const AdminAddress&)>& question);

  CLI::App app_;
  std::vector<std::pair<const CLI::App*, Action>> actions_;
  const CLI::App* command_ = nullptr;  // that was given

  // What the words said. The commands share what they mean the same by.
  std::vector<std::string> files_;
  std::string project_;
  std::string form_ = "text";
  AdminWords admin_;
  bool is_strict_ = false;
  bool as_json_ = false;
  RunOptions serving_;
  std::string levels_;
  std::string log_format_ = "text";
  std::string drain_ = "10s";
  std::string old_version_ = "1h";
  TestOptions tests_;
};

}  // namespace perilune::app
