#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <memory>
#include <mutex>

#include "loop/loop.hpp"

namespace perilune::edge {

/// The connections that wait at a listener's limit, in all workers together, and how many idle ones give way
/// to them: a newcomer in one worker's queue may need the place of an idle connection of another. Any thread.
class Newcomers {
 public:
  /// What one worker has of the listener. It joins and parts in the thread of its loop.
  class Host : public boost::intrusive::list_base_hook<> {
   public:
    explicit Host(loop::Loop& loop) : loop_(loop) {}

   protected:
    /// Newcomers wait, perhaps elsewhere only, and a place may have become free. In a turn of the loop.
    virtual void on_newcomers() = 0;
    ~Host() = default;

   private:
    friend class Newcomers;
    loop::Loop& loop_;
    std::atomic<bool> is_called_{false};
    // A call that comes after this was destroyed finds it gone.
    const std::shared_ptr<Host*> self_ = std::make_shared<Host*>(this);
  };

  void join(Host& host);
  void part(Host& host);
  /// Has the other hosts make room, each in a coming turn of its loop.
  void call_others(const Host& caller);

  /// At one host `now` newcomers wait, where `before` did.
  void recount(size_t before, size_t now) { waiting_ += now - before; }
  /// The same of a queue that all hosts share (that of a unix socket).
  void recount_shared(size_t now) { waiting_ = now; }
  size_t waiting() const { return waiting_; }
  /// One more connection gives way; false where as many do as newcomers wait.
  bool claim();
  /// One that gave way is over.
  void settle() { --giving_way_; }

 private:
  std::atomic<size_t> waiting_{0};
  std::atomic<size_t> giving_way_{0};
  std::mutex mutex_;
  boost::intrusive::list<Host> hosts_;
};

}  // namespace perilune::edge
