#include "algo/shared_dictionary.hpp"

#include <algorithm>
#include <functional>

namespace perilune::algo {
SharedDictionary::~SharedDictionary() { clear(); }

SharedDictionary::Shard& SharedDictionary::shard_of(std::string_view key) {
  // Bits that the map inside does not go by.
  return shards_[(std::hash<std::string_view>()(key) >> 32) % shard_count];
}

SharedDictionary::Entry* SharedDictionary::Shard::find(std::string_view key, Instant now) {
  const auto found = entries.find(key);
  if (found == entries.end()) return nullptr;
  Entry& entry = *found->second;
  if (now < entry.gone_at) return &entry;
  drop(entry);
  return nullptr;
}

void SharedDictionary::Shard::drop(Entry& entry) {
  bytes -= entry.bytes();
  by_use.erase(by_use.iterator_to(entry));
  entries.erase(std::string_view(entry.key));
}

void SharedDictionary::Shard::make_room() {
  while (bytes > bytes_max && !by_use.empty()) {
    drop(by_use.front());
    ++evictions;
  }
}

SharedDictionary::Outcome SharedDictionary::Shard::put(std::string_view key, SharedValue value,
                                                       const SharedTimes& times, Instant now) {
  Entry* entry = find(key, now);
  if (entry_bytes + key.size() + value.bytes.size() > bytes_max) {
    if (entry) drop(*entry);
    return Outcome::TooLarge;
  }
  if (!entry) {
    auto made = std::make_unique<Entry>();
    made->key = key;
    entry = made.get();
    entries.emplace(std::string_view(entry->key), std::move(made));
    by_use.push_back(*entry);
    bytes += entry->bytes();
  }
  bytes -= entry->bytes();
  entry->value = std::move(value);
  bytes += entry->bytes();
  entry->fresh_until = after(now, times.ttl);
  entry->gone_at = after(entry->fresh_until, times.stale);
  by_use.splice(by_use.end(), by_use, by_use.iterator_to(*entry));
  make_room();
  return Outcome::Done;
}

std::optional<SharedDictionary::Found> SharedDictionary::get(std::string_view key, Instant now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Entry* const entry = shard.find(key, now);
  if (!entry) return std::nullopt;
  shard.by_use.splice(shard.by_use.end(), shard.by_use, shard.by_use.iterator_to(*entry));
  return Found{entry->value,
               entry->fresh_until == Instant::max() ? Duration::max() : entry->fresh_until - now};
}

SharedDictionary::Outcome SharedDictionary::set(std::string_view key, SharedValue value,
                                                const SharedTimes& times, Instant now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  return shard.put(key, std::move(value), times, now);
}

SharedDictionary::Outcome SharedDictionary::add(std::string_view key, SharedValue value,
                                                const SharedTimes& times, Instant now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const Entry* const entry = shard.find(key, now);
  if (entry && now < entry->fresh_until) return Outcome::Exists;
  return shard.put(key, std::move(value), times, now);
}

SharedDictionary::Outcome SharedDictionary::increment(std::string_view key, double by,
                                                      const SharedTimes& times, Instant now, double& result) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Entry* const entry = shard.find(key, now);
  if (!entry || now >= entry->fresh_until) {
    result = by;
    return shard.put(key, SharedValue{number_kind, by, {}}, times, now);
  }
  if (entry->value.kind != number_kind) return Outcome::NoNumber;
  result = entry->value.number += by;
  shard.by_use.splice(shard.by_use.end(), shard.by_use, shard.by_use.iterator_to(*entry));
  return Outcome::Done;
}

bool SharedDictionary::remove(std::string_view key, Instant now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Entry* const entry = shard.find(key, now);
  if (entry) shard.drop(*entry);
  return entry != nullptr;
}

void SharedDictionary::clear() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    while (!shard.by_use.empty()) shard.drop(shard.by_use.front());
  }
}

std::vector<std::string> SharedDictionary::keys(size_t count_max, Instant now) const {
  std::vector<std::string> keys;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const Entry& entry : shard.by_use) {
      if (keys.size() == count_max) return keys;
      if (now < entry.gone_at) keys.push_back(entry.key);
    }
  }
  return keys;
}

size_t SharedDictionary::size() const {
  size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.entries.size();
  }
  return count;
}

size_t SharedDictionary::bytes() const {
  size_t bytes = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    bytes += shard.bytes;
  }
  return bytes;
}

uint64_t SharedDictionary::evictions() const {
  uint64_t count = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.evictions;
  }
  return count;
}

void SharedDictionary::resize(size_t bytes_max) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.bytes_max = bytes_max / shard_count;
    shard.make_room();
  }
}

SharedDictionary& SharedDictionaries::of(const std::string& name, size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(dictionaries_, name, [](const auto& each) { return each.first; });
  if (found == dictionaries_.end())
    return *dictionaries_.emplace_back(name, std::make_unique<SharedDictionary>(bytes_max)).second;
  return *found->second;
}

std::vector<std::pair<std::string, const SharedDictionary*>> SharedDictionaries::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, const SharedDictionary*>> result;
  for (const auto& [name, dictionary] : dictionaries_) result.emplace_back(name, dictionary.get());
  return result;
}

}  // namespace perilune::algo
