#include "net/service_lookup.hpp"

#include <ares.h>

#include <algorithm>
#include <tuple>

#include "net/resolver.hpp"

namespace perilune::net {

namespace {

// Each is two datagrams at a time; more at once would be dropped in socket buffers, and cost a retry.
constexpr size_t targets_at_a_time = 32;

}  // namespace

/// What c-ares answers to: it does so exactly once, also when nobody waits any more.
struct ServiceLookup::Question {
  ServiceLookup* waiting;

  static void on_answer(void* self, int status, int, unsigned char* message, int bytes) {
    const std::unique_ptr<Question> question(static_cast<Question*>(self));
    if (!question->waiting) return;
    question->waiting->question_ = nullptr;
    question->waiting->on_reply(status, {message, static_cast<size_t>(message ? bytes : 0)});
  }
};

/// The addresses of one record's host.
class ServiceLookup::Target final : private ResolveHandler {
 public:
  Target(ServiceLookup& owner, SrvRecord its_record, Address address)
      : record(std::move(its_record)), owner_(owner), address_(std::move(address)) {}

  void start() { operation_ = owner_.resolver_.resolve(address_, *this); }
  void call_off() { operation_.reset(); }
  bool is_done() const { return is_done_; }

  const SrvRecord record;

 private:
  void on_resolved(Result<Resolution> resolution) override {
    is_done_ = true;
    operation_.reset();
    owner_.on_target(*this, std::move(resolution));
  }

  ServiceLookup& owner_;
  const Address address_;
  std::unique_ptr<Operation> operation_;
  bool is_done_ = false;
};

ServiceLookup::ServiceLookup(const Place& place, const std::string& name, ServiceHandler& handler)
    : EventTarget(place.driver), resolver_(place.resolver), name_(name), handler_(handler) {
  place.loop.arm(deadline_, resolver_.timeout());
  question_ = std::make_unique<Question>(Question{this}).release();
  resolver_.ask_for_service(name_, &Question::on_answer, question_);
}

ServiceLookup::~ServiceLookup() {
  if (question_) question_->waiting = nullptr;
}

Error ServiceLookup::failure(std::string_view reason) const {
  return {ErrorCode::ResolveFailure, Side::Upstream, name_ + ": " + std::string(reason)};
}

void ServiceLookup::on_reply(int status, std::span<const unsigned char> message) {
  if (is_finished_) return;
  const auto empty = [](Absence why) { return ServiceResolution{.absence = why}; };
  if (status == ARES_ENODATA) return finish(empty(Absence::NoRecords));
  if (status == ARES_ENOTFOUND) return finish(empty(Absence::NoName));
  if (status != ARES_SUCCESS) return finish(failure(ares_strerror(status)));
  auto reply = parse_srv_reply(message);
  if (!reply) return finish(failure(reply.error().detail));
  std::erase_if(reply->records, [](const SrvRecord& record) { return record.host.empty(); });
  if (reply->records.empty()) return finish(empty(Absence::NoRecords));
  found_.ttl = reply->ttl;
  ask_for_targets(std::move(reply->records));
}

void ServiceLookup::ask_for_targets(std::vector<SrvRecord> records) {
  if (records.size() > limits::service_targets_max) {
    found_.left_out += records.size() - limits::service_targets_max;
    records.resize(limits::service_targets_max);
  }
  for (SrvRecord& record : records) {
    // What is no host name has no address.
    auto address = Address::parse(record.host + ":" + std::to_string(record.port));
    if (address) targets_.push_back(std::make_unique<Target>(*this, std::move(record), std::move(*address)));
  }
  if (targets_.empty()) return finish_targets();
  start_more();
}

void ServiceLookup::start_more() {
  while (started_ < targets_.size() && started_ - done_ < targets_at_a_time) targets_[started_++]->start();
}

void ServiceLookup::on_target(Target& target, Result<Resolution> resolution) {
  ++done_;
  const SrvRecord& record = target.record;
  if (!resolution) {
    if (!first_failure_) first_failure_ = resolution.error();
    add_unanswered(record.host);
  } else {
    ++answered_;
    auto& addresses = resolution->addresses;
    if (addresses.size() > limits::target_addresses_max) {
      // Servers turn the order: the same ones are to stay every time.
      std::ranges::sort(addresses, {}, [](const Address& a) { return std::tie(a.kind, a.host); });
      found_.left_out += addresses.size() - limits::target_addresses_max;
      addresses.resize(limits::target_addresses_max);
    }
    if (!addresses.empty()) found_.ttl = std::min(found_.ttl, resolution->ttl);
    for (Address& address : addresses)
      found_.endpoints.push_back({std::move(address), record.priority, record.weight, record.host});
  }
  if (done_ == targets_.size()) return finish_targets();
  start_more();
}

void ServiceLookup::add_unanswered(const std::string& host) {
  if (std::ranges::find(found_.unanswered, host) == found_.unanswered.end())
    found_.unanswered.push_back(host);
}

void ServiceLookup::on_deadline() {
  if (targets_.empty()) return finish(failure("no answer in time"));
  for (const auto& target : targets_) {
    if (target->is_done()) continue;
    target->call_off();
    add_unanswered(target->record.host);
  }
  finish_targets();
}

void ServiceLookup::finish_targets() {
  if (answered_ > 0 || targets_.empty()) return finish(std::move(found_));
  finish(first_failure_ ? *first_failure_ : failure("no answer in time for its targets"));
}

void ServiceLookup::finish(Result<ServiceResolution> result) {
  is_finished_ = true;
  deadline_.disarm();
  result_ = std::move(result);
  // The handler hears of it in the next dispatch: this may be the call that began the lookup.
  driver_.redeliver(*this, 0);
}

void ServiceLookup::on_events(uint32_t) { handler_.on_service(std::move(result_)); }

}  // namespace perilune::net
