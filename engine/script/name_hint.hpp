#pragma once

#include <string>
#include <string_view>

namespace perilune::script {

/// What is said of a name that no global has and that is known all the same: that of a pipeline which
/// `source`, the file that reads the name, defines, and those that only files of tests have. Empty for all
/// others.
std::string hint_of_name(std::string_view name, std::string_view source, bool is_test);

}  // namespace perilune::script
