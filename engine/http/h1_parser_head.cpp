#include "http/field_lines.hpp"
#include "http/framing.hpp"
#include "http/grammar.hpp"
#include "http/h1_parser.hpp"
#include "http/hop_by_hop.hpp"
#include "http/second_opinion.hpp"

// How H1Parser makes heads: from lines to fields, then length, second opinion, and what concerns this hop
// only.
namespace perilune::http {

using message::BodyKind;
using message::Name;
using message::RequestHead;
using message::ResponseHead;
using message::Version;

namespace {

/// RFC 9112 section 3.2: none is missing and none contradicts another. An empty one names no host (RFC 9110
/// section 4.2.1).
const char* fault_of_host(const RequestHead& head) {
  size_t count = 0;
  bool is_valid = true;
  head.headers.each_of(Name::Host, [&](std::string_view host) {
    ++count;
    is_valid = is_valid && is_valid_host(host);
  });
  if (count > 1) return "more than one Host";
  if (count == 0) return head.version == Version::Http11 ? "no Host" : nullptr;
  return is_valid ? nullptr : "malformed Host";
}

/// The path as servers of origin form see it.
void set_path(RequestHead& head, const Target& target) {
  head.path.clear();
  if (target.form == TargetForm::Absolute) {
    // RFC 9112 section 3.2.4: OPTIONS for a whole server.
    if (target.path.empty() && head.method == "OPTIONS") head.path = "*";
    else if (target.path.empty() || target.path.front() == '?') head.path = "/";
  }
  if (head.path != "*") head.path.append(target.path);
}

}  // namespace

Result<Item> H1Parser::read_head() {
  const bool is_request = kind_ == Kind::Request;
  const ScanLimits scan_limits{is_request ? limits_->request_line_bytes_max : no_line_limit,
                               limits_->head_bytes_max, limits_->head_fields_max + 1};
  const auto parse_first_line = [&] {
    const auto line = section_.text(input_).substr(0, section_.first_line_size());
    return is_request ? parse_request_line(line) : parse_status_line(line);
  };
  state_ = State::Start;
  Result<StartLine> line{StartLine{}};
  bool has_line = false;
  for (;;) {
    const auto outcome = section_.advance(input_, scan_limits);
    if (outcome == HeadScan::Outcome::NeedMore) {
      state_ = State::Head;
      return Item{};
    }
    if (outcome == HeadScan::Outcome::FirstLine) {
      line = parse_first_line();
      if (!line) return line.error();
      has_line = !section_.is_copy();
      continue;
    }
    if (outcome != HeadScan::Outcome::Complete) return fault_of(outcome);
    break;
  }
  // The line that was seen first may have been copied meanwhile, and its views point nowhere.
  if (!has_line || section_.is_copy()) line = parse_first_line();
  return is_request ? make_request(*line) : make_response(*line);
}

std::string_view H1Parser::fields() const {
  const size_t first_line = section_.first_line_size() + 2;
  return section_.text(input_).substr(first_line, section_.size() - first_line);
}

ParsedSection H1Parser::parsed_section(const FramingLines& lines) const {
  const std::string_view text = section_.text(input_);
  return {text.substr(0, section_.size()), text.substr(0, section_.first_line_size() + 2), lines};
}

Result<Item> H1Parser::make_request(const StartLine& line) {
  auto head = RequestHead::make();
  head->version = line.version;
  head->method = line.method;
  const auto target = parse_target(line.method, line.target);
  if (!target) return refuse(ErrorCode::BadRequest, "malformed request target");
  FramingLines lines;
  if (auto parsed = parse_field_lines(fields(), kind_, head->headers, &lines); !parsed) return parsed.error();
  if (const char* detail = fault_of_host(*head)) return refuse(ErrorCode::BadRequest, detail);

  const auto framing = request_framing(*head);
  if (!framing) return framing.error();
  head->body = *framing;
  if (const char* detail = objection(parsed_section(lines), *head))
    return refuse(ErrorCode::BadRequest, detail);

  set_path(*head, *target);
  head->scheme = target->scheme;
  // RFC 9112 section 3.2.2: the target's authority replaces what Host says, so that nobody routes by the
  // other.
  if (!target->authority.empty()) head->headers.set("Host", target->authority);
  if (auto removed = remove_hop_by_hop(*head); !removed) return removed.error();
  section_.done(input_);
  return give(std::move(head), false);
}

std::string_view H1Parser::expected_method() const {
  switch (expected_) {
    case Expected::Head: return "HEAD";
    case Expected::Connect: return "CONNECT";
    default: return "GET";
  }
}

Result<Item> H1Parser::make_response(const StartLine& line) {
  auto head = ResponseHead::make();
  head->version = line.version;
  head->status = line.status;
  head->reason = line.reason;
  FramingLines lines;
  if (auto parsed = parse_field_lines(fields(), kind_, head->headers, &lines); !parsed) return parsed.error();

  const auto framing = response_framing(*head, expected_method());
  if (!framing) return framing.error();
  head->body = *framing;
  if (const char* detail = objection(parsed_section(lines), *head))
    return refuse(ErrorCode::BadRequest, detail);
  if (auto removed = remove_hop_by_hop(*head); !removed) return removed.error();
  section_.done(input_);

  if (head->is_interim()) {
    if (++interims_ > limits_->interim_responses_max)
      return refuse(ErrorCode::BadRequest, "too many interim responses");
    return give(std::move(head), true);
  }
  // RFC 9110 section 15.2.2: a switch is to what was offered, and names it.
  if (head->status == 101 && (offer_ == UpgradeOffer::None || head->upgrade.empty()))
    return refuse(ErrorCode::BadRequest, "switches to a protocol that was not offered");
  expected_ = Expected::Nothing;
  return give(std::move(head), false);
}

Result<Item> H1Parser::give(Ref<message::Head> head, bool is_interim) {
  const message::BodyFraming framing = head->body;
  Item item{.kind = Item::Kind::Head, .head = std::move(head)};
  if (is_interim) {
    state_ = State::Start;
    return item;
  }
  switch (framing.kind) {
    case BodyKind::Length:
      body_left_ = framing.length;
      state_ = framing.length > 0 ? State::FixedBody : State::MessageEnd;
      break;
    case BodyKind::Chunked: state_ = State::Chunked; break;
    case BodyKind::UntilClose: state_ = State::UntilClose; break;
    case BodyKind::Tunnel: state_ = State::Tunnel; break;
    case BodyKind::None:
    case BodyKind::Unknown: state_ = State::MessageEnd; break;
  }
  return item;
}

}  // namespace perilune::http
