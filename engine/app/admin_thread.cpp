#include "app/admin_thread.hpp"

#include "script/embedded.hpp"

namespace perilune::app {
namespace {

constexpr const char* script_name = "admin";
constexpr const char* script_path = "perilune/admin.lua";
constexpr Duration drain_interval = 10ms;
constexpr unsigned socket_mode = 0600;  // who may send it signals may ask

std::shared_ptr<script::ScriptFiles> embedded_script() {
  auto files = std::make_shared<script::ScriptFiles>();
  for (const script::EmbeddedFile& file : script::embedded_files())
    if (file.name == script_name) files->put(script_path, std::string(file.text));
  return files;
}

}  // namespace

std::string AdminThread::start(AdminDesk::Parts parts, std::unique_ptr<AdminThread>& result) {
  std::unique_ptr<AdminThread> made(new AdminThread(std::move(parts)));
  std::string error = made->ready_.get_future().get();
  if (error.empty()) result = std::move(made);
  return error;
}

AdminThread::AdminThread(AdminDesk::Parts parts)
    : desk_(std::move(parts)), is_unix_(desk_.address().starts_with("unix:")), thread_([this] { main(); }) {}

AdminThread::~AdminThread() {
  if (link_) link_->post([this] { begin_drain(); });
  thread_.join();
}

void AdminThread::main() {
  net::AsioDriver driver;
  loop::Loop loop(driver);
  {
    net::ListenSockets sockets;
    net::AsioNetwork network(driver, loop, sockets);
    Worker worker(loop, network, 0, {.script = {.admin = &desk_}, .unix_mode = is_unix_ ? socket_mode : 0});
    loop_ = &loop;
    worker_ = &worker;
    desk_.open(loop);
    auto result = worker.load({script_path}, embedded_script());
    if (result.has_value()) result = worker.listen();
    if (result.has_value()) {
      link_ = std::make_shared<LoopLink>(loop);
      worker.start();
    }
    ready_.set_value(result.has_error() ? result.error().detail : std::string());
    if (result.has_value()) loop.run();
    desk_.close();
    if (link_) link_->cut();
    worker.stop();
    drain_timer_.disarm();
  }
}

void AdminThread::begin_drain() {
  worker_->stop_accepting();
  drained_at_ = loop_->now() + limits::admin_drain;
  look_whether_drained();
}

void AdminThread::look_whether_drained() {
  worker_->wind_down();
  if (worker_->sessions() == 0 || loop_->now() >= drained_at_) loop_->stop();
  else loop_->arm(drain_timer_, drain_interval);
}

}  // namespace perilune::app
