#include "edge/dial.hpp"

namespace perilune::edge {

Dial::Dial(flow::Runtime& runtime, net::Network& network, DialHandler& handler)
    : runtime_(runtime), network_(network), handler_(handler) {}

Dial::~Dial() = default;

void Dial::start(const net::Address& target, const DialOptions& options) {
  target_ = target;
  bind_ = options.bind;
  if (options.timeout != Duration::max()) runtime_.loop.arm(timer_, options.timeout);
  if (target.needs_resolving()) {
    operation_ = network_.resolve(target, *this);
    return;
  }
  addresses_.push_back(target);
  try_next();
}

void Dial::on_resolved(Result<net::Resolution> resolution) {
  operation_.reset();
  if (resolution.has_error()) {
    finish(resolution.error());
    return;
  }
  addresses_ = std::move(resolution->addresses);
  if (addresses_.empty()) {
    const char* why =
        resolution->absence == net::Absence::NoName ? ": no such name" : ": the name has no address";
    finish(Error{ErrorCode::ResolveFailure, Side::Upstream, target_.host + why});
    return;
  }
  try_next();
}

void Dial::try_next() {
  operation_ = network_.connect(addresses_[next_address_++], net::ConnectOptions{bind_}, *this);
}

void Dial::on_connected(Result<std::unique_ptr<net::Stream>> stream) {
  operation_.reset();
  if (stream.has_error() && stream.error().code == ErrorCode::ConnectFailure &&
      next_address_ < addresses_.size())
    try_next();
  else finish(std::move(stream));
}

void Dial::on_timer() {
  operation_.reset();
  finish(Error{ErrorCode::ConnectTimeout, Side::Upstream, target_.to_string()});
}

void Dial::finish(Result<std::unique_ptr<net::Stream>> result) {
  timer_.disarm();
  handler_.on_dialled(std::move(result));
}

}  // namespace perilune::edge
