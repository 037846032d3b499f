#include "app/worker.hpp"

#include "base/log.hpp"

namespace perilune::app {
namespace {

// How often an old version is asked whether it has ended.
constexpr Duration end_interval = 50ms;

/// What `get` gives of the version, or an empty one.
template <typename Part>
const std::vector<std::unique_ptr<Part>>& part_of(const Version* version,
                                                  const std::vector<std::unique_ptr<Part>>& (Version::*get)()
                                                      const) {
  static const std::vector<std::unique_ptr<Part>> nothing;
  return version ? (version->*get)() : nothing;
}

}  // namespace

Worker::Worker(loop::Loop& loop, net::Network& network, int index, const WorkerShared& shared)
    : loop_(loop),
      network_(network),
      outputs_(shared.outputs),
      old_version_timeout_(shared.old_version_timeout),
      script_options_(shared.script),
      unix_mode_(shared.unix_mode),
      counts_(shared.counts ? *shared.counts : own_counts_),
      http_(std::make_unique<filter::HttpClient>(services_)) {
  services_.worker = static_cast<unsigned>(index);
  script_options_.worker = index;
  runtime_.tracer = shared.tracer;
  if (shared.clusters) services_.clusters = shared.clusters;
  if (shared.dictionaries) services_.dictionaries = shared.dictionaries;
}

Worker::~Worker() { stop(); }

Version::Parts Worker::parts() {
  return {loop_, network_, services_, *http_, counts_, outputs_, script_options_, unix_mode_};
}

Result<void> Worker::load(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files,
                          std::shared_ptr<script::LoadLimit> limit) {
  Version::Parts with_limit = parts();
  with_limit.script.load_limit = std::move(limit);
  loaded_ = std::make_unique<Version>(with_limit, std::move(files));
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
  const Instant cut_at =
      old_version_timeout_ == Duration::max() ? Instant::max() : loop_.now() + old_version_timeout_;
  old_.push_back({std::move(before), cut_at});
  size_t kept = 0;
  for (auto old = old_.rbegin(); old != old_.rend(); ++old)
    if (old->version->sessions() > 0 && ++kept > limits::old_versions_max) old->cut_at = loop_.now();
  edge::Departures all;
  for (const OldVersion& old : old_) {
    const edge::Departures some = old.version->retire(*current_);
    all.moving += some.moving;
    all.staying += some.staying;
  }
  // Not at once: those who waited for the load come first.
  if (!end_timer_.is_armed()) loop_.arm(end_timer_, end_interval);
  return all;
}

void Worker::end_old() {
  std::erase_if(old_,
                [&](const OldVersion& old) { return old.version->end_step(loop_.now() >= old.cut_at); });
  if (!old_.empty()) loop_.arm(end_timer_, end_interval);
}

const std::vector<std::unique_ptr<edge::Server>>& Worker::servers() const {
  return part_of(newest(), &Version::servers);
}
const std::vector<std::unique_ptr<filter::Program>>& Worker::programs() const {
  return part_of(newest(), &Version::programs);
}
const std::vector<std::unique_ptr<script::State>>& Worker::states() const {
  return part_of(newest(), &Version::states);
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
