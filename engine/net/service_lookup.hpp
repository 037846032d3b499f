#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/loop.hpp"
#include "net/asio_driver.hpp"
#include "net/network.hpp"
#include "net/srv_reply.hpp"

namespace perilune::net {

class Resolver;

/// One Network::resolve_service: asks for the SRV records, then for the addresses of each target by way of
/// the resolver, where the hosts file and its cache count. It does not use the additional section: that may
/// hold one family only, and what is missing there would look like an address that is gone.
///
/// The name is complete: search domains are for hosts. All of it together has the resolver's timeout; targets
/// without an answer by then are `unanswered`. Services are not kept in a cache: who asks keeps the answer.
class ServiceLookup final : public Operation, private EventTarget {
 public:
  /// All of them outlive this.
  struct Place {
    AsioDriver& driver;
    loop::Loop& loop;
    Resolver& resolver;
  };
  ServiceLookup(const Place& place, const std::string& name, ServiceHandler& handler);
  ~ServiceLookup() override;

 private:
  struct Question;
  class Target;

  void on_reply(int status, std::span<const unsigned char> message);
  void ask_for_targets(std::vector<SrvRecord> records);
  void on_target(Target& target, Result<Resolution> resolution);
  void add_unanswered(const std::string& host);
  void start_more();
  void on_deadline();
  void finish_targets();
  void finish(Result<ServiceResolution> result);
  void on_events(uint32_t events) override;
  Error failure(std::string_view reason) const;

  Resolver& resolver_;
  const std::string name_;
  ServiceHandler& handler_;
  Question* question_ = nullptr;  // belongs to c-ares until it has answered
  std::vector<std::unique_ptr<Target>> targets_;
  size_t started_ = 0;
  size_t done_ = 0;
  size_t answered_ = 0;
  std::optional<Error> first_failure_;
  ServiceResolution found_;
  bool is_finished_ = false;
  Result<ServiceResolution> result_{Error{}};
  loop::MemberTimer<ServiceLookup, &ServiceLookup::on_deadline> deadline_{*this};
};

}  // namespace perilune::net
