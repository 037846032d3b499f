#pragma once

#include "base/time.hpp"

namespace perilune::algo {

class PoolKey;

/// Limits that a pool shares with the pools of other workers: each entry, and each allocation under way,
/// needs a token, and the tokens of all of them together are as many as the limit. Called from within the
/// policy; none of these calls it back.
class PoolTokens {
 public:
  enum class Answer : uint8_t {
    Taken,
    KeyFull,    ///< all tokens of this key are in use
    TotalFull,  ///< all tokens there are
  };
  virtual Answer take(PoolKey& key) = 0;
  /// Beyond the limit, for EmptyKey::Overflows.
  virtual void take_beyond(PoolKey& key) = 0;
  virtual void give_back(PoolKey& key) = 0;

  /// Somebody has waited for `key` since then, and lacks a token: PoolPolicy::on_token is to be called once
  /// one was put aside. Said again when another is the first to wait. Instant::max(): nobody waits any more.
  virtual void want(PoolKey& key, Instant since) = 0;
  /// Since when somebody waits, in another pool, for what an entry of `key` would set free; Instant::max()
  /// when nobody does.
  virtual Instant wanted_since(const PoolKey& key) const = 0;

 protected:
  ~PoolTokens() = default;
};

}  // namespace perilune::algo
