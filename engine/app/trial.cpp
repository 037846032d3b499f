#include "app/trial.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "net/asio_network.hpp"
#include "script/load_limit.hpp"

namespace perilune::app {
namespace {

/// Threads that nobody waits for any more.
std::atomic<int> lost_loads = 0;

/// What the thread that loads and the one that waits for it both know.
struct Attempt {
  std::vector<std::string> paths;
  std::shared_ptr<script::ScriptFiles> files;
  std::shared_ptr<script::LoadLimit> limit = std::make_shared<script::LoadLimit>();
  /// Taken by who comes first: the one that has loaded, or the one that waits no longer.
  std::atomic<bool> is_open{true};
  std::promise<std::string> outcome;
};

/// A trial has time, and those whose clients wait have not: this thread takes what processor time is left
/// over.
void run_behind_others() {
  constexpr int nice = 10;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);
}

/// None: nobody waits for it any more.
std::optional<std::string> load_alone(Attempt& attempt, const std::function<void(const Worker&)>& use) {
  net::AsioDriver driver;
  loop::Loop loop(driver);
  net::ListenSockets sockets;
  net::AsioNetwork network(driver, loop, sockets);
  Worker worker(loop, network, 0);
  auto result = worker.load(attempt.paths, attempt.files, attempt.limit);
  if (!attempt.is_open.exchange(false)) return std::nullopt;
  if (result.has_error()) return result.error().detail;
  if (use) use(worker);
  return std::string();
}

}  // namespace

std::string try_scripts(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files,
                        const std::function<void(const Worker&)>& use) {
  if (lost_loads >= limits::lost_loads_max)
    return "earlier tries to load the scripts have not come back yet, from calls of the library at the top "
           "of a file";
  auto attempt = std::make_shared<Attempt>();
  attempt->paths = paths;
  attempt->files = std::move(files);
  auto outcome = attempt->outcome.get_future();
  std::thread thread([attempt, use] {
    run_behind_others();
    if (auto said = load_alone(*attempt, use)) attempt->outcome.set_value(std::move(*said));
    else --lost_loads;
  });
  if (outcome.wait_for(limits::load_time_max) != std::future_status::ready) {
    attempt->limit->end_loading();
    outcome.wait_for(limits::reload_timeout - limits::load_time_max);
    if (attempt->is_open.exchange(false)) {
      // In a call of the library that does not come back (string.rep, a pattern): it keeps its thread until
      // it does.
      ++lost_loads;
      thread.detach();
      return "the scripts have not loaded in time: the top of a file does too much";
    }
  }
  thread.join();
  return outcome.get();
}

}  // namespace perilune::app
