#include "app/worker.hpp"

#include "base/log.hpp"

namespace perilune::app {
namespace {

// How often an old version is asked whether it has ended.
constexpr Duration end_interval = 50ms;

}  // namespace

Worker::Worker(loop::Loop& loop, net::Network& network, int index, const WorkerShared& shared)
    : loop_(loop),
      network_(network),
      index_(index),
      outputs_(shared.outputs),
      old_version_timeout_(shared.old_version_timeout),
      load_time_max_(shared.load_time_max),
      admin_(shared.admin),
      unix_mode_(shared.unix_mode),
      counts_(shared.counts ? *shared.counts : own_counts_),
      http_(std::make_unique<filter::HttpClient>(services_)) {
  services_.worker = static_cast<unsigned>(index);
  if (shared.clusters) services_.clusters = shared.clusters;
  if (shared.dictionaries) services_.dictionaries = shared.dictionaries;
}

Worker::~Worker() { stop(); }

Version::Parts Worker::parts() {
  return {loop_, network_, services_, *http_, counts_, outputs_, index_, load_time_max_, admin_, unix_mode_};
}

Result<void> Worker::load(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files) {
  loaded_ = std::make_unique<Version>(parts(), std::move(files));
  auto result = loaded_->load(paths, current_.get());
  if (result.has_error()) loaded_.reset();
  return result;
}

Result<void> Worker::listen() {
  auto result = loaded_->listen(current_.get());
  if (result.has_error()) loaded_.reset();
  return result;
}

edge::Departures Worker::start() {
  std::unique_ptr<Version> before = std::exchange(current_, std::move(loaded_));
  current_->start(before.get());
  if (!before) return {};
  if (old_.size() == limits::old_versions_max) old_.front().cut_at = loop_.now();
  const Instant cut_at = old_version_timeout_ == Duration::max() ? Instant::max() : loop_.now() + old_version_timeout_;
  old_.push_back({std::move(before), cut_at});
  edge::Departures all;
  for (const OldVersion& old : old_) {
    const edge::Departures some = old.version->retire(*current_);
    all.moving += some.moving;
    all.staying += some.staying;
  }
  loop_.arm(end_timer_, Duration::zero());
  return all;
}

void Worker::end_old() {
  std::erase_if(old_, [&](const OldVersion& old) { return old.version->end_step(loop_.now() >= old.cut_at); });
  if (!old_.empty()) loop_.arm(end_timer_, end_interval);
}

size_t Worker::give_back_surplus() {
  arena_.release_memory();
  const size_t idle_before = chunks_.idle();
  chunks_.give_back_surplus();
  size_t given_back = (idle_before - chunks_.idle()) * chunks_.chunk_bytes();
  ThreadPool::give_back_surplus();
  http_->give_back_surplus();
  if (current_) given_back += current_->give_back_surplus();
  for (const OldVersion& old : old_) given_back += old.version->give_back_surplus();
  return given_back;
}

void Worker::stop_accepting() {
  if (current_) current_->stop_accepting();
}

void Worker::wind_down() {
  if (current_) current_->wind_down();
  for (const OldVersion& old : old_) old.version->wind_down();
}

size_t Worker::sessions() const {
  size_t count = current_ ? current_->sessions() : 0;
  for (const OldVersion& old : old_) count += old.version->sessions();
  return count;
}

size_t Worker::lua_bytes() const {
  size_t bytes = current_ ? current_->lua_bytes() : 0;
  for (const OldVersion& old : old_) bytes += old.version->lua_bytes();
  return bytes;
}

void Worker::stop() {
  const Error draining{ErrorCode::Draining, Side::Engine, "the process ends"};
  end_timer_.disarm();
  loaded_.reset();
  stop_accepting();
  for (const OldVersion& old : old_) old.version->stop(draining);
  if (current_) current_->stop(draining);
  http_.reset();
  loop_.settle();
  old_.clear();
  current_.reset();
  arena_.release_memory();
}

}  // namespace perilune::app
