#include "app/trial.hpp"

#include <future>
#include <thread>

#include "net/asio_network.hpp"
#include "script/load_limit.hpp"

namespace perilune::app {

std::string load_alone(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files,
                       const std::function<void(const Worker&)>& use,
                       std::shared_ptr<script::LoadLimit> limit) {
  net::AsioDriver driver;
  loop::Loop loop(driver);
  net::ListenSockets sockets;
  net::AsioNetwork network(driver, loop, sockets);
  Worker worker(loop, network, 0, {.script = {.load_limit = std::move(limit)}});
  if (auto result = worker.load(paths, std::move(files)); result.has_error()) return result.error().detail;
  if (use) use(worker);
  return {};
}

std::string try_scripts(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files) {
  auto outcome = std::make_shared<std::promise<std::string>>();
  auto future = outcome->get_future();
  auto limit = std::make_shared<script::LoadLimit>();
  std::thread thread([outcome, paths, files = std::move(files), limit]() mutable {
    outcome->set_value(load_alone(paths, std::move(files), {}, limit));
  });
  bool has_ended = future.wait_for(limits::load_time_max) == std::future_status::ready;
  if (!has_ended) {
    limit->end_loading();
    has_ended = future.wait_for(limits::reload_timeout - limits::load_time_max) == std::future_status::ready;
  }
  if (has_ended) {
    thread.join();
    return future.get();
  }
  // In a call of the library that does not come back (string.rep, a pattern): it keeps its thread until it
  // does.
  thread.detach();
  return "the scripts have not loaded in time: the top of a file does too much";
}

}  // namespace perilune::app
