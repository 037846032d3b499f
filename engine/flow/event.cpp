#include "flow/event.hpp"

namespace perilune::flow {

bool Event::is_interim() const {
  const auto* head = response();
  return head && head->is_interim();
}

message::RequestHead* Event::request() const {
  const auto* part = std::get_if<1>(&part_);
  return part && (*part)->is_request() ? static_cast<message::RequestHead*>(part->get()) : nullptr;
}

message::ResponseHead* Event::response() const {
  const auto* part = std::get_if<1>(&part_);
  return part && !(*part)->is_request() ? static_cast<message::ResponseHead*>(part->get()) : nullptr;
}

const Error* Event::error() const {
  if (const auto* end = std::get_if<2>(&part_)) return end->error.get();
  if (const auto* error = std::get_if<3>(&part_)) return error->get();
  return nullptr;
}

std::unique_ptr<Error> Event::take_error() {
  if (auto* end = std::get_if<2>(&part_)) return std::move(end->error);
  if (auto* error = std::get_if<3>(&part_)) return std::move(*error);
  return nullptr;
}

}  // namespace perilune::flow
