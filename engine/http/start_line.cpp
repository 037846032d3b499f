#include "http/start_line.hpp"

#include "http/grammar.hpp"

namespace perilune::http {

using message::Version;

namespace {

constexpr size_t version_size = 8;  // "HTTP/1.1"

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_version(std::string_view text) {
  return text.size() == version_size && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
         is_digit(text[7]);
}

bool is_ours(std::string_view version) {
  return version[5] == '1' && (version[7] == '0' || version[7] == '1');
}

Version version_of(std::string_view text) { return text[7] == '0' ? Version::Http10 : Version::Http11; }

Error bad_request(const char* detail) { return fault(Kind::Request, ErrorCode::BadRequest, detail); }
Error bad_response(const char* detail) { return fault(Kind::Response, ErrorCode::BadRequest, detail); }

}  // namespace

Result<StartLine> parse_request_line(std::string_view line) {
  StartLine parts;
  size_t end = 0;
  while (end < line.size() && is_a(TokenChar, line[end])) ++end;
  if (end == 0 || end == line.size() || line[end] != ' ') return bad_request("malformed method");
  parts.method = line.substr(0, end);
  line.remove_prefix(end + 1);

  end = line.find(' ');
  if (end == std::string_view::npos) return bad_request("no version in the request line");
  if (end == 0) return bad_request("more than one space in the request line");
  parts.target = line.substr(0, end);
  line.remove_prefix(end + 1);

  if (!is_version(line)) return bad_request("malformed version");
  if (!is_ours(line))
    return fault(Kind::Request, ErrorCode::UnsupportedVersion, "neither HTTP/1.0 nor HTTP/1.1");
  parts.version = version_of(line);
  return parts;
}

Result<StartLine> parse_status_line(std::string_view line) {
  StartLine parts;
  const std::string_view version = line.substr(0, version_size);
  if (!is_version(version)) return bad_response("malformed status line");
  if (!is_ours(version)) return bad_response("neither HTTP/1.0 nor HTTP/1.1");
  parts.version = version_of(version);

  line.remove_prefix(version_size);
  if (line.size() < 4 || line[0] != ' ' || !is_digit(line[1]) || !is_digit(line[2]) || !is_digit(line[3]))
    return bad_response("malformed status");
  parts.status = (line[1] - '0') * 100 + (line[2] - '0') * 10 + (line[3] - '0');
  if (parts.status < 100 || parts.status > 599) return bad_response("status out of range");

  line.remove_prefix(4);
  if (line.empty()) return parts;
  if (line.front() != ' ') return bad_response("malformed status");
  parts.reason = line.substr(1);
  if (!are_all(ValueChar, parts.reason)) return bad_response("control byte in the reason");
  return parts;
}

}  // namespace perilune::http
