#include "flow/tracer.hpp"

namespace perilune::flow {

std::string describe(const Event& event) {
  if (event.is_data()) return "data " + std::to_string(event.slice().size()) + " bytes";
  const std::string error = event.error() ? ": " + event.error()->to_string() : "";
  if (event.is_message_end()) return "message end" + error;
  if (event.is_stream_end()) return "stream end" + error;
  std::string text;
  if (const auto* request = event.request()) text = "request " + request->method + " " + request->path;
  if (const auto* response = event.response()) text = "response " + std::to_string(response->status);
  event.head()->headers.each([&](std::string_view name, std::string_view value, message::Name) {
    text.append(" | ").append(name).append(": ").append(value);
  });
  return text;
}

}  // namespace perilune::flow
