#include "algo/pool_types.hpp"

#include <string>

namespace perilune::algo {
namespace {

Error refuse(std::string_view what, std::string_view instead) {
  return Error{ErrorCode::ScriptError, Side::Script,
               std::string(what) + " must be above 0: " + std::string(instead)};
}

}  // namespace

Result<void> check_rules(const PoolKeyRules& rules) {
  // Half of the field reads idleTimeout = 0 as "keep for ever" and half as "keep nothing".
  if (rules.idle_timeout <= Duration::zero())
    return refuse("idleTimeout", "write false to keep nothing idle, math.huge to keep it for ever");
  if (rules.ttl <= Duration::zero()) return refuse("ttl", "leave it out to let resources live for ever");
  if (rules.validate_after < Duration::zero()) return refuse("validateAfter", "or 0 to validate each time");
  if (rules.max == 0) return refuse("max", "nothing could ever be leased");
  if (rules.uses_max == 0) return refuse("maxUses", "nothing could ever be leased");
  return {};
}

Result<void> check_rules(const PoolRules& rules) {
  if (rules.total_max == 0) return refuse("total", "nothing could ever be leased");
  if (rules.queue_timeout <= Duration::zero()) return refuse("queueTimeout", "write queue = 0 to wait never");
  return check_rules(rules.key);
}

std::string_view reason_name(CloseReason reason) {
  switch (reason) {
    case CloseReason::IdleTimeout: return "idle-timeout";
    case CloseReason::Ttl: return "ttl";
    case CloseReason::UsesSpent: return "uses-spent";
    case CloseReason::Evicted: return "evicted";
    case CloseReason::IdleLimit: return "idle-limit";
    case CloseReason::OverLimit: return "over-limit";
    case CloseReason::Discarded: return "discarded";
    case CloseReason::Drained: return "drained";
  }
  return "discarded";
}

}  // namespace perilune::algo
