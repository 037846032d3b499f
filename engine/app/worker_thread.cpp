#include "app/worker_thread.hpp"

#include "app/upkeep.hpp"

namespace perilune::app {
namespace {

constexpr Duration drain_interval = 50ms;

}  // namespace

WorkerThread::WorkerThread(const Shared& shared, int index)
    : shared_(shared), index_(index), thread_([this] { main(); }) {}

WorkerThread::~WorkerThread() {
  if (!std::exchange(has_gone_, true)) go_.set_value(false);
  thread_.join();
}

void WorkerThread::go() {
  has_gone_ = true;
  go_.set_value(true);
}

void WorkerThread::main() {
  driver_ = std::make_unique<Drive>();
  watch_ = std::make_unique<script::ScriptWatch>(driver_->loop, name());
  {
    net::AsioNetwork network(driver_->driver, driver_->loop, shared_.sockets,
                             {.servers = shared_.options.dns});
    Worker worker(driver_->loop, network, index_,
                  {&shared_.outputs, &shared_.counts, shared_.clusters, shared_.dictionaries,
                   shared_.options.old_version_timeout});
    worker_ = &worker;
    auto result = worker.load(shared_.options.files, shared_.files, shared_.limit);
    if (result.has_value() && index_ == 0 && !worker.has_work())
      result = Error{ErrorCode::ScriptError, Side::Script,
                     "there is nothing to do: no script has a listen, every or after"};
    if (result.has_value()) result = worker.listen();
    ready_.set_value(result.has_error() ? result.error().detail : std::string());
    if (result.has_value() && go_.get_future().get()) {
      worker.start();
      Upkeep upkeep(driver_->loop, worker);
      upkeep.start();
      driver_->loop.run();
    }
    worker.stop();
  }
  is_done_.store(true);
}

std::future<std::string> WorkerThread::prepare(std::shared_ptr<ReloadAttempt> attempt) {
  auto answer = std::make_shared<std::promise<std::string>>();
  driver_->loop.post([this, answer, attempt = std::move(attempt)] {
    if (attempt->is_given_up) return;
    auto result = worker_->load(shared_.options.files, attempt->files, attempt->limit);
    if (result.has_value() && index_ == 0 && !worker_->has_work()) {
      result = Error{ErrorCode::ScriptError, Side::Script,
                     "there is nothing to do: no script has a listen, every or after"};
      worker_->discard();
    }
    if (result.has_value()) result = worker_->listen();
    if (attempt->is_given_up) worker_->discard();
    answer->set_value(result.has_error() ? result.error().detail : std::string());
  });
  return answer->get_future();
}

std::future<edge::Departures> WorkerThread::start_prepared() {
  auto answer = std::make_shared<std::promise<edge::Departures>>();
  driver_->loop.post([this, answer] { answer->set_value(worker_->start()); });
  return answer->get_future();
}

Duration WorkerThread::busy_for() const {
  const Instant since = driver_->loop.busy_since();
  if (since == Instant::min()) return Duration::zero();
  return Instant(std::chrono::steady_clock::now().time_since_epoch()) - since;
}

void WorkerThread::ask(std::function<void(Worker&)> take) {
  driver_->loop.post([this, take = std::move(take)] { take(*worker_); });
}

void WorkerThread::discard_prepared() {
  driver_->loop.post([this] { worker_->discard(); });
}

void WorkerThread::drain(Duration deadline) {
  if (drain_count_++ == 0) driver_->loop.post([this, deadline] { begin_drain(deadline); });
  else driver_->loop.stop();
}

void WorkerThread::begin_drain(Duration deadline) {
  worker_->stop_accepting();
  drain_deadline_ = driver_->loop.now() + deadline;
  look_whether_drained();
}

void WorkerThread::look_whether_drained() {
  worker_->wind_down();
  if (worker_->sessions() == 0 || driver_->loop.now() >= drain_deadline_) driver_->loop.stop();
  else driver_->loop.arm(drain_timer_, drain_interval);
}

}  // namespace perilune::app
