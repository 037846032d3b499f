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
    OptionSpec{"refreshMax", FiniteTime},
    OptionSpec{"service", Boolean},
};
Result<upstream::DiscoveryOptions> dns_settings(const Argument& given);

inline constexpr std::array health_options = {
    OptionSpec{"fall", Count},
    OptionSpec{"host", Text},
    OptionSpec{"interval", FiniteTime, {}, {}, "health = false switches checks off"},
    OptionSpec{"path", Text},
    OptionSpec{"port", Count},
    OptionSpec{"rise", Count},
    OptionSpec{"status", MixedList},
    OptionSpec{"tcp", Boolean},
    OptionSpec{"timeout", FiniteTime},
};
Result<upstream::HealthOptions> health_settings(const Argument& given);

inline constexpr std::array ejection_options = {
    OptionSpec{"consecutive5xx", Count},   OptionSpec{"consecutiveGateway", Count},
    OptionSpec{"consecutiveLocal", Count}, OptionSpec{"interval", FiniteTime},
    OptionSpec{"maxPercent", Count},       OptionSpec{"maxTime", FiniteTime},
    OptionSpec{"successRate", Boolean},    OptionSpec{"time", FiniteTime},
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
