#include "http/max_forwards.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace perilune::http {
namespace {

constexpr std::string_view field = "Max-Forwards";
constexpr std::string_view allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Hop count_hop(message::RequestHead& head) {
  if (head.method != "TRACE" && head.method != "OPTIONS") return Hop::Next;
  std::optional<uint64_t> left;
  for (const std::string_view value : head.headers.all(field))
    if (is_number(value)) left = std::min(left.value_or(hops_max), parse_decimal(value).value_or(hops_max));
  if (!left) return Hop::Next;
  if (*left == 0) return Hop::Last;
  head.headers.set(field, std::to_string(*left - 1));
  return Hop::Next;
}

Ref<message::ResponseHead> answer_at_last_hop(const message::RequestHead& head) {
  auto answer = message::ResponseHead::make();
  answer->status = head.method == "OPTIONS" ? 204 : 405;
  answer->headers.add("Allow", allowed);
  answer->body = {message::BodyKind::Length, 0};
  return answer;
}

}  // namespace perilune::http
