#include <array>

#include "h1_reading.hpp"
#include "http/start_line.hpp"

namespace perilune::fuzz {
namespace {

using AskedFour = std::array<http::Asked, 4>;

bool is_interim(const PlainMessage& plain) {
  return plain.first_line.size() > 11 && plain.first_line[9] == '1' && plain.first_line.substr(9, 3) != "101";
}

/// Every response that the parser takes is one to a plain reader, the same one, and ends where it does for
/// that.
void compare_with_plain_reader(std::string_view text, const AskedFour& asked,
                               const http::ParserLimits& limits) {
  const Messages messages = read_messages(http::Kind::Response, text, asked, limits);
  PlainReader reader(text);
  for (size_t i = 0; i < messages.complete.size(); ++i) {
    const Message& message = messages.complete[i];
    const message::ResponseHead& head = message.response();
    const bool has_body = head.status >= 200 && head.status != 204 && head.status != 304 &&
                          asked[i].method != "HEAD" && !message.opens_tunnel();
    auto plain = PlainReader(reader).next(false, false);
    size_t interims = 0;
    while (plain && is_interim(*plain)) {
      require(++interims <= limits.interim_responses_max,
              "there are no more interim responses than there may be");
      reader.next(false, false);
      plain = PlainReader(reader).next(false, false);
    }
    plain = reader.next(has_body, true);
    require(plain.has_value(), "a plain reader reads it too", text, head.reason);
    require(plain->first_line.substr(9, 3) == std::to_string(head.status), "the status", plain->first_line);
    require(plain->first_line.substr(std::min<size_t>(13, plain->first_line.size())) == head.reason,
            "the reason", plain->first_line, head.reason);
    compare_fields(*plain, head, HostFrom::Field);
    require_within(limits, *plain);
    compare_bodies(*plain, message);
    if (message.opens_tunnel()) return;
  }
}

void ask_llhttp_about(std::string_view text) {
  const size_t line_size = text.find("\r\n");
  if (line_size == std::string_view::npos) return;
  const auto line = http::parse_status_line(text.substr(0, line_size));
  if (!line) return;
  auto head = message::ResponseHead::make();
  head->version = line->version;
  head->status = line->status;
  ask_llhttp(std::move(head), text, line_size);
}

}  // namespace
}  // namespace perilune::fuzz

/// A seed, a byte that says what four requests asked (two bits each), then what an upstream sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  constexpr fuzz::AskedFour kinds{http::Asked{"GET"}, http::Asked{"HEAD"}, http::Asked{"CONNECT"},
                                  http::Asked{"GET", http::UpgradeOffer::WebSocket}};
  fuzz::Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  const uint8_t choice = decisions.byte();
  fuzz::AskedFour asked;
  for (size_t i = 0; i < asked.size(); ++i) asked[i] = kinds[choice >> (2 * i) & 3];
  fuzz::read_in_all_cuts(http::Kind::Response, decisions.rest(), asked, seed);
  fuzz::compare_with_plain_reader(decisions.rest(), asked, fuzz::limits_of(seed));
  fuzz::ask_llhttp_about(decisions.rest());
  return 0;
}
