#include "upstream/health_checker.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "algo/draw.hpp"
#include "algo/health_counter.hpp"
#include "algo/jitter.hpp"
#include "base/log.hpp"
#include "upstream/health_probe.hpp"

namespace perilune::upstream {

using algo::Health;
using Verdict = ProbeResult::Verdict;

namespace {

// First checks are spread over so much: a cluster of a thousand must not dial all of them in one turn.
constexpr Duration first_spread = 1s;

std::string in_seconds(Duration span) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", to_seconds(span));
  return text;
}

}  // namespace

/// The checks of one endpoint: due → its turn comes → a probe, with a deadline → due again.
class HealthChecker::Check final : public HealthProbeHandler {
 public:
  Check(HealthChecker& checker, EndpointRef endpoint);
  ~Check();
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  /// Its turn has come; end_turn() is called when it is over, in a later step.
  void begin();

 private:
  void on_probe_done(ProbeResult result) override;
  void on_due() { checker_.take_turn(*this); }
  void on_deadline();
  void conclude();
  void judge(const ProbeResult& result);
  loop::Loop& loop() const { return checker_.parts_.runtime.loop; }
  const HealthOptions& options() const { return checker_.options_; }

  HealthChecker& checker_;
  const EndpointRef endpoint_;
  net::Address target_;
  algo::HealthCounter counter_;
  Instant begun_{};
  Ref<HealthProbe> probe_;  // while it is under way
  std::optional<ProbeResult> result_;
  loop::MemberTimer<Check, &Check::on_due> due_timer_{*this};
  loop::MemberTimer<Check, &Check::on_deadline> deadline_timer_{*this};
  // A probe is stopped outside its own calls.
  loop::MemberTask<Check, &Check::conclude> conclude_task_{*this};
};

HealthChecker::Check::Check(HealthChecker& checker, EndpointRef endpoint)
    : checker_(checker),
      endpoint_(std::move(endpoint)),
      target_(endpoint_->address),
      counter_(options().thresholds) {
  if (options().port != 0 && target_.kind != net::Address::Kind::Unix) target_.port = options().port;
  const Health known = endpoint_->health.load();
  if (known != Health::Unknown)
    counter_.observe(known == Health::Healthy ? algo::CheckResult::Passed : algo::CheckResult::Failed);
  const Duration spread = std::min(first_spread, options().interval);
  const double share = algo::draw_unit(loop().driver().random());
  loop().arm(due_timer_, Duration(static_cast<Duration::rep>(static_cast<double>(spread.count()) * share)));
}

HealthChecker::Check::~Check() {
  std::erase(checker_.waiting_, this);
  if (!probe_) return;
  probe_->stop();
  --checker_.running_;
}

void HealthChecker::Check::begin() {
  begun_ = loop().now();
  loop().arm(deadline_timer_, options().timeout);
  flow::Runtime& runtime = checker_.parts_.runtime;
  if (options().kind == HealthOptions::Kind::Tcp)
    probe_ = make_ref<TcpProbe>(runtime, checker_.parts_.network, *this);
  else probe_ = make_ref<HttpProbe>(runtime, checker_.parts_.connections, options(), *this);
  probe_->start(target_);
}

void HealthChecker::Check::on_deadline() {
  on_probe_done(
      {Verdict::Failed, std::string(probe_->missing()) + " within " + in_seconds(options().timeout)});
}

void HealthChecker::Check::on_probe_done(ProbeResult result) {
  if (result_) return;  // time was over in the same turn
  result_ = std::move(result);
  loop().defer(conclude_task_);
}

void HealthChecker::Check::conclude() {
  deadline_timer_.disarm();
  probe_->stop();
  probe_.reset();
  judge(*std::exchange(result_, std::nullopt));
  // From begin to begin, so that slow answers do not make rare checks; one that took longer is followed at
  // once.
  const Duration interval =
      algo::jittered(options().interval, options().jitter_percent, loop().driver().random());
  loop().timers().arm(due_timer_, begun_ + interval);
  checker_.end_turn();
}

void HealthChecker::Check::judge(const ProbeResult& result) {
  const std::string& cluster = checker_.record_->name;
  if (result.verdict == Verdict::Unsure) {
    log::debug("upstream " + cluster + ": " + endpoint_->name + " could not be checked: " + result.reason);
    return;
  }
  const bool has_passed = result.verdict == Verdict::Passed;
  if (!counter_.observe(has_passed ? algo::CheckResult::Passed : algo::CheckResult::Failed)) return;
  checker_.record_->set_health(*endpoint_, counter_.state(), loop().now());
  log::write(has_passed ? log::Level::Info : log::Level::Warn,
             "upstream " + cluster + ": " + endpoint_->name +
                 (has_passed ? " is healthy: " : " is unhealthy: ") + result.reason);
}

HealthChecker::HealthChecker(const Parts& parts, std::shared_ptr<ClusterRecord> record,
                             const HealthOptions& options)
    : parts_(parts), record_(std::move(record)), options_(options) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::follow() {
  std::map<uint64_t, std::unique_ptr<Check>> others;
  others.swap(checks_);
  for (const EndpointRef& member : record_->members()) {
    if (auto known = others.extract(member->serial)) checks_.insert(std::move(known));
    else checks_.emplace(member->serial, std::make_unique<Check>(*this, member));
  }
  others.clear();
  run_waiting();  // in the place of those that went
}

void HealthChecker::take_turn(Check& check) {
  waiting_.push_back(&check);
  run_waiting();
}

void HealthChecker::end_turn() {
  --running_;
  run_waiting();
}

void HealthChecker::run_waiting() {
  while (running_ < limits::health_checks_max && !waiting_.empty()) {
    Check& next = *waiting_.front();
    waiting_.pop_front();
    ++running_;
    next.begin();
  }
}

}  // namespace perilune::upstream
