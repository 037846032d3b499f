#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "algo/pool_policy.hpp"
#include "loop/loop.hpp"
#include "script/coroutine.hpp"

namespace perilune::script {

/// The engine's half of an algo.ResourcePool: keys, resources and tickets of the policy under numbers from 1
/// that Lua uses, a timer, and those who wait. What leaves the pool is kept in a list until lua/pool.lua
/// takes it.
class ScriptPool {
 public:
  ScriptPool(Interpreter& interpreter, const algo::PoolRules& rules);
  ~ScriptPool();
  ScriptPool(const ScriptPool&) = delete;
  ScriptPool& operator=(const ScriptPool&) = delete;

  /// What Lua is told of a lease: see lua/pool.lua.
  enum class Outcome : uint8_t { Leased = 1, Validate, Allocate, Failed };
  struct Lease {
    Outcome outcome;
    uint32_t number;  // of the resource or ticket; the ErrorCode of a failure
  };

  uint32_t make_key();
  /// Whether there is a key or resource of this number, which is at least 1.
  bool has_key(uint32_t number) const { return number <= keys_.size() && keys_[number - 1]; }
  bool has_resource(uint32_t number) const {
    return (number - 1) / block_size < resources_.size() && resource_at(number);
  }
  /// None: the waiter has to wait; give it a home (Waiting).
  std::optional<Lease> lease(uint32_t key, uint32_t tenant);
  Lease replace(uint32_t resource);
  /// False when it is not leased.
  bool release(uint32_t resource, algo::Verdict verdict);
  /// The number of the new resource.
  uint32_t commit(uint32_t ticket);
  void abort(uint32_t ticket);
  void drain_key(uint32_t key);
  void drain();
  void reopen() { policy_.reopen(); }
  void set_key_rules(uint32_t key, const std::optional<algo::PoolKeyRules>& rules);
  uint32_t uses(uint32_t resource) const { return resource_at(resource)->uses(); }
  const algo::PoolStats& stats() const { return policy_.stats(); }
  /// Null when there is no such key.
  const algo::PoolStats* key_stats(uint32_t key) const;

  /// Something waits to be taken by the two calls below.
  bool has_left() const { return !closed_.empty() || !vacant_.empty(); }
  struct Closed {
    uint32_t resource;
    uint32_t key;
    algo::CloseReason reason;
  };
  std::optional<Closed> take_closed();
  std::optional<uint32_t> take_vacant();

 private:
  struct Resource final : algo::PoolEntry {
    uint32_t number = 0;
  };
  struct Key final : algo::PoolKey {
    uint32_t number = 0;
  };
  struct Waiter final : algo::PoolWaiter {
    class PoolWait* wait = nullptr;
  };
  // Resources outlive the sessions beside which they were made; each alone would keep a page of memory that
  // those give back.
  static constexpr uint32_t block_size = 64;
  using Block = std::array<std::optional<Resource>, block_size>;
  friend class PoolWait;

  Instant now() const;
  Lease told(const algo::LeaseResult& result);
  /// Empties the policy's lists and sets the timer.
  void settle();
  void on_due();
  void settle_in_lua();
  Key& key_at(uint32_t number) { return *keys_[number - 1]; }
  std::optional<Resource>& resource_at(uint32_t number) const {
    return (*resources_[(number - 1) / block_size])[(number - 1) % block_size];
  }

  Interpreter& interpreter_;
  algo::PoolPolicy policy_;
  std::vector<std::unique_ptr<Key>> keys_;
  std::vector<uint32_t> free_keys_;
  // By number from 1.
  std::vector<std::unique_ptr<Block>> resources_;
  std::vector<uint32_t> free_resources_;
  std::vector<algo::PoolTicket> tickets_;  // by index
  std::vector<Closed> closed_;
  size_t closed_taken_ = 0;
  std::vector<uint32_t> vacant_;
  std::unique_ptr<Waiter> spare_ = std::make_unique<Waiter>();
  loop::MemberTimer<ScriptPool, &ScriptPool::on_due> timer_{*this};
  loop::MemberTask<ScriptPool, &ScriptPool::settle_in_lua> settle_task_{*this};
};

/// Waits for a turn in a pool's queue. Called off after it was served, it gives back what it was given.
class PoolWait final : public Wait {
 public:
  /// Takes over the waiter that lease() has just put into the queue.
  PoolWait(Coroutine& coroutine, ScriptPool& pool);
  ~PoolWait() override;
  int push_results(lua_State* L) override;

 private:
  friend class ScriptPool;
  void on_served(const algo::LeaseResult& result);

  ScriptPool& pool_;
  std::unique_ptr<ScriptPool::Waiter> waiter_;
  std::optional<ScriptPool::Lease> lease_;
};

/// Pushes outcome, number and whether something left: what primitives give lua/pool.lua. Returns 3.
int push_lease(lua_State* L, ScriptPool::Lease lease, const ScriptPool& pool);

}  // namespace perilune::script
