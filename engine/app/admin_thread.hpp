#pragma once

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "app/admin_desk.hpp"
#include "net/asio_network.hpp"

namespace perilune::app {

/// Serves the admin address, in a thread of its own: it answers whatever the workers do. What it serves is a
/// script (lua/admin.lua) over the engine's own filters.
class AdminThread {
 public:
  /// Why it does not serve; empty when it does. Blocks until that is known.
  static std::string start(AdminDesk::Parts parts, std::unique_ptr<AdminThread>& result);
  /// Ends it; answers that are under way have limits::admin_drain.
  ~AdminThread();
  AdminThread(const AdminThread&) = delete;
  AdminThread& operator=(const AdminThread&) = delete;

 private:
  explicit AdminThread(AdminDesk::Parts parts);
  void main();
  void begin_drain();
  void look_whether_drained();

  AdminDesk desk_;
  const bool is_unix_;
  std::promise<std::string> ready_;
  loop::Loop* loop_ = nullptr;
  std::shared_ptr<LoopLink> link_;
  Worker* worker_ = nullptr;
  Instant drained_at_{};
  loop::MemberTimer<AdminThread, &AdminThread::look_whether_drained> drain_timer_{*this};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace perilune::app
