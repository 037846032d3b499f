#pragma once

#include <string>
#include <vector>

namespace perilune::app {

/// The commands of `perilune`, "help" among them.
const std::vector<std::string>& command_names();

/// The words of a command line, before their options are read.
struct CommandWords {
  std::vector<std::string> words;  ///< the command first
  std::string wrong;               ///< a sentence; empty when nothing is
};

/// Spells out what is short: `FILE` is `run FILE`, `help run` is `run --help`, `version` and `-v` are
/// `--version`. Wrong are a first word that is neither a command nor a file, and options in front of a
/// command.
CommandWords spell_out(std::vector<std::string> words);

/// What is wrong with `path` as a script, in a sentence; empty when nothing is.
std::string fault_of_script(const std::string& path);

}  // namespace perilune::app
