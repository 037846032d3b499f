#pragma once

#include <array>

#include "filter/registry.hpp"
#include "upstream/cluster_options.hpp"

namespace perilune::filter {

// The options of `upstream` that are tables of their own: what they may say, and how it is read. Errors
// (Side::Script): ScriptError with a sentence that names the option.

inline constexpr std::array budget_options = {OptionSpec{"min", Count}, OptionSpec{"percent", Count}};
Result<algo::RetryBudget> budget_settings(const Argument& given);

inline constexpr std::array dns_options = {
    OptionSpec{"name", Text},
    OptionSpec{"refreshMax", Time},
    OptionSpec{"service", Boolean},
};
Result<upstream::DiscoveryOptions> dns_settings(const Argument& given);

inline constexpr std::array health_options = {
    OptionSpec{"fall", Count},
    OptionSpec{"host", Text},
    OptionSpec{"interval", Time},
    OptionSpec{"path", Text},
    OptionSpec{"port", Count},
    OptionSpec{"rise", Count},
    OptionSpec{"status", Count | MixedList},
    OptionSpec{"tcp", Boolean},
    OptionSpec{"timeout", Time},
};
Result<upstream::HealthOptions> health_settings(const Argument& given);

inline constexpr std::array ejection_options = {
    OptionSpec{"consecutive5xx", Count},   OptionSpec{"consecutiveGateway", Count},
    OptionSpec{"consecutiveLocal", Count}, OptionSpec{"interval", Time},
    OptionSpec{"maxPercent", Count},       OptionSpec{"maxTime", Time},
    OptionSpec{"successRate", Boolean},    OptionSpec{"time", Time},
};
/// None: nothing is ejected.
Result<std::optional<algo::OutlierRules>> ejection_settings(const Argument& given);

inline constexpr std::array sticky_options = {
    OptionSpec{"cookie", Text},
    OptionSpec{"maxAge", Time},
    OptionSpec{"path", Text},
};
Result<upstream::StickyOptions> sticky_settings(const Argument& given);

inline constexpr std::array slow_start_options = {OptionSpec{"aggression", Number},
                                                  OptionSpec{"window", Time}};
Result<algo::SlowStart> slow_start_settings(const Argument& given);

}  // namespace perilune::filter
