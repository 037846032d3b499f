#include "h1_reading.hpp"
#include "http/start_line.hpp"

namespace perilune::fuzz {
namespace {

constexpr size_t version_size = 9;  // " HTTP/1.1"

/// What follows the authority of a target, as a server sees it.
std::string path_of(std::string_view method, std::string_view target) {
  if (target.starts_with("/") || target == "*" || method == "CONNECT") return std::string(target);
  const size_t begin = target.find("://");
  require(begin != std::string_view::npos, "a target has one of four forms", method, target);
  const std::string_view path = target.substr(std::min(target.find_first_of("/?", begin + 3), target.size()));
  if (path.empty()) return method == "OPTIONS" ? "*" : "/";
  return (path.starts_with("?") ? "/" : "") + std::string(path);
}

/// Every request that the parser takes is one to a plain reader, the same one, and ends where it does for
/// that.
void compare_with_plain_reader(std::string_view text, const http::ParserLimits& limits) {
  const Messages messages = read_messages(http::Kind::Request, text, {}, limits);
  PlainReader reader(text);
  for (const Message& message : messages.complete) {
    const message::RequestHead& head = message.request();
    reader.skip_empty_line();
    const auto plain = reader.next(head.method != "CONNECT", false);
    require(plain.has_value(), "a plain reader reads it too", head.method, head.path);
    const std::string& line = plain->first_line;
    require(line.starts_with(head.method + " ") && line.size() > head.method.size() + version_size,
            "the method", line, head.method);
    const std::string target =
        line.substr(head.method.size() + 1, line.size() - head.method.size() - 1 - version_size);
    require(head.path == path_of(head.method, target), "the path", line, head.path);
    const bool names_host = !target.starts_with("/") && target != "*";
    if (names_host)
      require(target.find(head.headers.find(message::Name::Host).value_or("/")) != std::string::npos,
              "the target's authority is the host", line,
              head.headers.find(message::Name::Host).value_or(""));
    compare_fields(*plain, head, names_host ? HostFrom::Target : HostFrom::Field);
    require(line.size() <= limits.request_line_bytes_max, "a request line is no longer than it may be", line);
    require_within(limits, *plain);
    compare_bodies(*plain, message);
  }
  if (messages.is_clean && (messages.complete.empty() || !messages.complete.back().opens_tunnel())) {
    reader.skip_empty_line();
    require(reader.rest().empty() || reader.rest() == "\r", "nothing is left to a plain reader", text,
            reader.rest());
  }
}

void ask_llhttp_about(std::string_view text) {
  const size_t line_size = text.find("\r\n");
  if (line_size == std::string_view::npos) return;
  const auto line = http::parse_request_line(text.substr(0, line_size));
  if (!line || !http::parse_target(line->method, line->target)) return;
  auto head = message::RequestHead::make();
  head->version = line->version;
  head->method = line->method;
  ask_llhttp(std::move(head), text, line_size);
}

}  // namespace
}  // namespace perilune::fuzz

/// A seed, then what a client sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  fuzz::Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  fuzz::read_in_all_cuts(http::Kind::Request, decisions.rest(), {}, seed);
  fuzz::compare_with_plain_reader(decisions.rest(), fuzz::limits_of(seed));
  fuzz::ask_llhttp_about(decisions.rest());
  return 0;
}
