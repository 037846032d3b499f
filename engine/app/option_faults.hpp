#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace perilune::app {

/// What is wrong with a command line, in sentences that name what was meant. Each is empty when nothing is.

/// The command that the words begin with, or null. `words` as spell_out gives them.
const CLI::App* command_of(const CLI::App& app, const std::vector<std::string>& words);

/// An option that the command does not know: with those that have it, or the nearest one.
std::string fault_of_options(const CLI::App& app, const std::vector<std::string>& words);
std::string fault_of_time(const std::string& text);
std::string fault_of_seed(const std::string& text);
std::string fault_of_dns(const std::string& servers);

/// What CLI11 says, without the name of a place for files in front.
std::string sentence_of(const CLI::ParseError& error);

}  // namespace perilune::app
