#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace perilune::algo {

/// A value as it lies in a dictionary. What `bytes` mean is the business of who put them there, by `kind`; a
/// number is kept as one, so that it can be counted.
struct SharedValue {
  uint8_t kind = 0;
  double number = 0;
  std::string bytes = {};
};

/// How long a value is good: fresh for `ttl`, and then, for who takes old ones, `stale` longer.
/// Duration::max(): for ever.
struct SharedTimes {
  Duration ttl = Duration::max();
  Duration stale{};
};

/// A dictionary that all workers see; any thread. Bounded by bytes: where it is full, values that nobody read
/// or wrote for longest go first. Keys are spread over shards with a lock each, so each call is one step for
/// all who look: two workers that add the same key do not both succeed.
class SharedDictionary {
 public:
  static constexpr size_t shard_count = 16;
  /// What an entry costs beside its key and its bytes.
  static constexpr size_t entry_bytes = 128;
  /// The kind of values that `increment` takes.
  static constexpr uint8_t number_kind = 1;

  explicit SharedDictionary(size_t bytes_max) { resize(bytes_max); }
  ~SharedDictionary();
  SharedDictionary(const SharedDictionary&) = delete;
  SharedDictionary& operator=(const SharedDictionary&) = delete;

  struct Found {
    SharedValue value;
    /// Negative once it is stale. Duration::max(): for ever.
    Duration fresh_for{};
  };
  std::optional<Found> get(std::string_view key, Instant now);

  enum class Outcome : uint8_t {
    Done,
    Exists,    // add: a fresh value is there
    TooLarge,  // it would take more than a shard's share; what was there is gone
    NoNumber,  // increment: the value is none
  };
  Outcome set(std::string_view key, SharedValue value, const SharedTimes& times, Instant now);
  /// Only where no fresh value is.
  Outcome add(std::string_view key, SharedValue value, const SharedTimes& times, Instant now);
  /// Adds to a number, and gives what it is then. One that is absent or stale begins at 0, with `times`; a
  /// fresh one keeps its own.
  Outcome increment(std::string_view key, double by, const SharedTimes& times, Instant now, double& result);
  /// Whether a fresh or stale value was there.
  bool remove(std::string_view key, Instant now);
  void clear();
  /// Of fresh and stale values, in no order, at most so many.
  std::vector<std::string> keys(size_t count_max, Instant now) const;

  size_t size() const;
  size_t bytes() const;
  /// Values that went before their time because it was full.
  uint64_t evictions() const;
  /// A smaller one lets go of what does not fit.
  void resize(size_t bytes_max);

 private:
  struct Entry : boost::intrusive::list_base_hook<> {
    std::string key;
    SharedValue value;
    Instant fresh_until = Instant::max();
    Instant gone_at = Instant::max();
    size_t bytes() const { return entry_bytes + key.size() + value.bytes.size(); }
  };
  struct Shard {
    mutable std::mutex mutex;
    boost::unordered_flat_map<std::string_view, std::unique_ptr<Entry>>
        entries;                           // keys point into the entries
    boost::intrusive::list<Entry> by_use;  // those used last stand last
    size_t bytes = 0;
    size_t bytes_max = 0;
    uint64_t evictions = 0;

    Entry* find(std::string_view key, Instant now);
    Outcome put(std::string_view key, SharedValue value, const SharedTimes& times, Instant now);
    void drop(Entry& entry);
    void make_room();
  };

  Shard& shard_of(std::string_view key);

  std::array<Shard, shard_count> shards_;
};

/// The dictionaries of a process by name: they outlive scripts. Any thread.
class SharedDictionaries {
 public:
  /// Made when it is new; one that is there stays as large as it is.
  SharedDictionary& of(const std::string& name, size_t bytes_max);
  std::vector<std::pair<std::string, const SharedDictionary*>> all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<std::string, std::unique_ptr<SharedDictionary>>> dictionaries_;
};

}  // namespace perilune::algo
