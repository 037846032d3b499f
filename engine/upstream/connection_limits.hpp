#pragma once

#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "upstream/endpoint.hpp"

namespace perilune::upstream {

/// The limits of a cluster's connections, exact for any number of workers: one token for each connection,
/// also for one that is being made. A worker that gets none registers a want, and a token that is given back
/// goes to the want that has waited longest and can use it. Any thread.
class ConnectionLimits {
 public:
  enum class Answer : uint8_t { Taken, EndpointFull, TotalFull };

  /// A worker's pool. Calls come from any thread, under the lock: they only post.
  class Member {
   public:
    /// A token was taken for who waits for `key` of `endpoint`.
    virtual void post_token(const EndpointRef& endpoint, const std::string& key) = 0;
    /// Somebody in another worker waits: an idle connection should go, of `endpoint` or, when that is null,
    /// any.
    virtual void post_reclaim(const EndpointRef& endpoint) = 0;

   protected:
    ~Member() = default;
  };

  void set_max(uint32_t total, uint32_t per_endpoint);
  void attach(Member& member);
  /// Its wants are forgotten.
  void detach(Member& member);

  Answer take(EndpointRecord& endpoint);
  void take_beyond(EndpointRecord& endpoint);
  void give_back(EndpointRecord& endpoint);
  /// One want for each member and key; Instant::max() takes it back.
  void want(Member& member, const EndpointRef& endpoint, const std::string& key, Instant since);
  /// Since when anybody waits whom a connection of this endpoint, given up, would help; Instant::max():
  /// nobody.
  Instant wanted_since(const EndpointRecord& endpoint) const;
  /// Somebody waits whom any connection, given up, would help.
  bool is_total_wanted() const { return total_wanted_since_.load(std::memory_order_relaxed) != INT64_MAX; }
  uint32_t used() const;
  uint32_t total_max() const { return total_max_.load(std::memory_order_relaxed); }

 private:
  struct Want {
    Member* member;
    EndpointRef endpoint;
    std::string key;
    Instant since;
  };
  Answer ask(const EndpointRecord& endpoint) const;
  void pass_on();
  void publish();

  mutable std::mutex mutex_;
  uint32_t used_ = 0;
  std::atomic<uint32_t> total_max_{UINT32_MAX};
  uint32_t endpoint_max_ = UINT32_MAX;
  std::vector<Member*> members_;
  std::list<Want> wants_;  // who has waited longest first
  std::atomic<int64_t> total_wanted_since_{INT64_MAX};
};

}  // namespace perilune::upstream
