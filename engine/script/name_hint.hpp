#pragma once

#include <string>
#include <string_view>

namespace perilune::script {

/// What is said of a name that no global has and that is known all the same: that of a pipeline which
/// `source`, the file that reads the name, defines, and those that only files of tests have. Empty for all
/// others.
std::string hint_of_name(std::string_view name, std::string_view source, bool is_test);

/// What is said behind an error of Lua's about a method that headers have elsewhere, and not here; empty
/// behind all others.
std::string_view hint_of_method(std::string_view error);

}  // namespace perilune::script
