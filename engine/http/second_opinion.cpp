#include "http/second_opinion.hpp"

#include <llhttp.h>

#include <array>

namespace perilune::http {

using message::BodyKind;
using message::Head;
using message::Name;
using message::Version;
using namespace std::literals;

namespace {

struct Observer {
  size_t fields = 0;
  bool is_complete = false;
};

Observer& observer_of(llhttp_t* parser) { return *static_cast<Observer*>(parser->data); }

int count_field(llhttp_t* parser) {
  ++observer_of(parser).fields;
  return HPE_OK;
}

int stop_at_body(llhttp_t* parser) {
  observer_of(parser).is_complete = true;
  return HPE_PAUSED;
}

const llhttp_settings_t settings = [] {
  llhttp_settings_t callbacks;
  llhttp_settings_init(&callbacks);
  callbacks.on_header_value_complete = count_field;
  callbacks.on_headers_complete = stop_at_body;
  return callbacks;
}();

bool is_known(std::string_view method) {
  static constexpr std::array<std::string_view, 8> known{"GET",    "POST",    "HEAD",  "PUT",
                                                         "DELETE", "OPTIONS", "PATCH", "CONNECT"};
  for (const auto name : known)
    if (name == method) return true;
  return false;
}

void show(llhttp_t& parser, std::string_view text) { llhttp_execute(&parser, text.data(), text.size()); }

const char* compare(const llhttp_t& parser, const Observer& observer, const Head& head) {
  if (!observer.is_complete || llhttp_get_errno(&parser) != HPE_PAUSED) return "refused by the second parser";
  if (parser.http_major != 1 || parser.http_minor != (head.version == Version::Http10 ? 0 : 1))
    return "parsers disagree on the version";

  const bool chunked = (parser.flags & F_CHUNKED) != 0;
  const bool other_coding = !chunked && (parser.flags & F_TRANSFER_ENCODING) != 0;
  const bool has_length = (parser.flags & F_CONTENT_LENGTH) != 0;
  bool agrees = true;
  switch (head.body.kind) {
    case BodyKind::Chunked: agrees = chunked; break;
    case BodyKind::Length:
      agrees = has_length && !chunked && !other_coding && parser.content_length == head.body.length;
      break;
    case BodyKind::UntilClose: agrees = !chunked && !other_coding && !has_length; break;
    case BodyKind::None:
      // A response may have none whatever its fields say; a request has none only when they say so.
      agrees = !head.is_request() || (!chunked && !other_coding && parser.content_length == 0);
      break;
    case BodyKind::Tunnel:
    case BodyKind::Unknown: break;
  }
  return agrees ? nullptr : "parsers disagree on the length of the body";
}

/// More than one length was refused by framing.hpp.
bool has_plain_fields(const message::Headers& headers) {
  constexpr message::NameSet doubtful{Name::TransferEncoding, Name::Upgrade, Name::ProxyConnection,
                                      Name::Http2Settings};
  return !headers.has_any(doubtful);
}

}  // namespace

const char* objection(std::string_view section, const message::RequestHead& head) {
  Observer observer;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &observer;
  // It knows a list of methods and gives some of them rules of their own; a method is any token to us.
  if (is_known(head.method)) {
    show(parser, section);
  } else {
    show(parser, "GET");
    show(parser, section.substr(head.method.size()));
  }
  if (observer.fields != head.headers.size()) return "parsers disagree on the number of fields";
  return compare(parser, observer, head);
}

const char* objection(std::string_view section, const message::ResponseHead& head) {
  Observer observer;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  parser.data = &observer;
  show(parser, section);
  if (observer.fields != head.headers.size()) return "parsers disagree on the number of fields";
  if (const char* difference = compare(parser, observer, head)) return difference;
  return parser.status_code == head.status ? nullptr : "parsers disagree on the status";
}

bool is_beyond_doubt(const message::RequestHead& head) {
  return has_plain_fields(head.headers) && head.method != "CONNECT"sv;
}

bool is_beyond_doubt(const message::ResponseHead& head) {
  return has_plain_fields(head.headers) && head.status >= 200;
}

}  // namespace perilune::http
