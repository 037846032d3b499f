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
using namespace std::literals;

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
    if (target.path.empty() && head.method == "OPTIONS"sv) head.path = "*";
    else if (target.path.empty() || target.path.front() == '?') head.path = "/";
  }
  if (head.path != "*"sv) head.path.append(target.path);
}

}  // namespace

Item H1Parser::read_head() {
  if (!section_.is_begun()) {
    Item item = read_plain_head();
    if (item.kind != Item::Kind::NeedMore) return item;
  }
  return read_scanned_head();
}

Ref<message::Head> H1Parser::head_of(const StartLine& line) const {
  if (kind_ == Kind::Request) {
    auto head = RequestHead::make();
    head->version = line.version;
    head->method = line.method;
    return head;
  }
  auto head = ResponseHead::make();
  head->version = line.version;
  head->status = line.status;
  head->reason = line.reason;
  return head;
}

Item H1Parser::complete(Ref<message::Head> head, const StartLine& line, std::string_view section) {
  return kind_ == Kind::Request ? complete_request(std::move(head), line, section)
                                : complete_response(std::move(head), section);
}

/// A head that lies whole in the next slice and has nothing wrong: nearly all of them. NeedMore: it is
/// another, and nothing was done.
Item H1Parser::read_plain_head() {
  const std::string_view text = input_.front().view();
  const size_t line_end = text.substr(0, limits_->request_line_bytes_max + 2).find('\n');
  if (line_end == std::string_view::npos || line_end == 0 || text[line_end - 1] != '\r') return {};
  const std::string_view first = text.substr(0, line_end - 1);
  const auto line = kind_ == Kind::Request ? parse_request_line(first) : parse_status_line(first);
  if (!line) return {};
  Ref<message::Head> head = head_of(*line);
  const size_t size = take_field_lines(text.substr(line_end + 1), limits_->head_fields_max, head->headers);
  const size_t section_size = line_end + 1 + size;
  if (size == 0 || section_size > limits_->head_bytes_max) return {};
  Item item = complete(std::move(head), *line, text.substr(0, section_size));
  input_.drop(section_size);
  return item;
}

/// Any other head: one that comes in pieces, is too large, or wrong.
Item H1Parser::read_scanned_head() {
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
      if (!line) return fail(std::move(line.error()));
      has_line = !section_.is_copy();
      continue;
    }
    if (outcome != HeadScan::Outcome::Complete) return refuse(outcome);
    break;
  }
  // The line that was seen first may have been copied meanwhile, and its views point nowhere.
  if (!has_line || section_.is_copy()) line = parse_first_line();
  const std::string_view section = section_.text(input_).substr(0, section_.size());
  Ref<message::Head> head = head_of(*line);
  if (auto parsed = parse_field_lines(section.substr(section_.first_line_size() + 2), kind_, head->headers);
      !parsed)
    return fail(std::move(parsed.error()));
  Item item = complete(std::move(head), *line, section);
  section_.done(input_);
  return item;
}

Item H1Parser::complete_request(Ref<message::Head> shared, const StartLine& line, std::string_view section) {
  auto& head = static_cast<RequestHead&>(*shared);
  const auto target = parse_target(line.method, line.target);
  if (!target) return refuse(ErrorCode::BadRequest, "malformed request target");
  if (const char* detail = fault_of_host(head)) return refuse(ErrorCode::BadRequest, detail);

  const auto framing = request_framing(head);
  if (!framing) return fail(framing.error());
  head.body = *framing;
  if (!is_beyond_doubt(head))
    if (const char* detail = objection(section, head)) return refuse(ErrorCode::BadRequest, detail);

  set_path(head, *target);
  head.scheme = target->scheme;
  // RFC 9112 section 3.2.2: the target's authority replaces what Host says, so that nobody routes by the
  // other.
  if (!target->authority.empty()) head.headers.set("Host", target->authority);
  if (auto removed = remove_hop_by_hop(head); !removed) return fail(std::move(removed.error()));
  return give(std::move(shared), false);
}

std::string_view H1Parser::expected_method() const {
  switch (expected_) {
    case Expected::Head: return "HEAD";
    case Expected::Connect: return "CONNECT";
    default: return "GET";
  }
}

Item H1Parser::complete_response(Ref<message::Head> shared, std::string_view section) {
  auto& head = static_cast<ResponseHead&>(*shared);
  const auto framing = response_framing(head, expected_method());
  if (!framing) return fail(framing.error());
  head.body = *framing;
  if (!is_beyond_doubt(head))
    if (const char* detail = objection(section, head)) return refuse(ErrorCode::BadRequest, detail);
  if (auto removed = remove_hop_by_hop(head); !removed) return fail(std::move(removed.error()));

  if (head.is_interim()) {
    if (++interims_ > limits_->interim_responses_max)
      return refuse(ErrorCode::BadRequest, "too many interim responses");
    return give(std::move(shared), true);
  }
  // RFC 9110 section 15.2.2: a switch is to what was offered, and names it.
  if (head.status == 101 && (offer_ == UpgradeOffer::None || head.upgrade.empty()))
    return refuse(ErrorCode::BadRequest, "switches to a protocol that was not offered");
  expected_ = Expected::Nothing;
  return give(std::move(shared), false);
}

Item H1Parser::give(Ref<message::Head> head, bool is_interim) {
  const message::BodyFraming framing = head->body;
  Item item{.kind = Item::Kind::Head, .head = std::move(head)};
  if (is_interim) {
    state_ = State::Start;
    return item;
  }
  switch (framing.kind) {
    case BodyKind::Length:
      body_left_ = framing.length;
      state_ = State::FixedBody;
      item.ends = framing.length == 0;
      break;
    case BodyKind::Chunked: state_ = State::Chunked; break;
    case BodyKind::UntilClose: state_ = State::UntilClose; break;
    case BodyKind::Tunnel: state_ = State::Tunnel; break;
    case BodyKind::None:
    case BodyKind::Unknown: item.ends = true; break;
  }
  if (item.ends) begin_next();
  return item;
}

}  // namespace perilune::http
