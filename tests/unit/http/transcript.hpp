#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "buffer/buffer.hpp"
#include "http/h1_parser.hpp"

/// What a parser made of some bytes, as one line of text, the same for every way to cut the bytes.
namespace perilune::http {

/// One exchange that a response parser is told to expect.
struct Asked {
  std::string_view method = "GET";
  UpgradeOffer offer = UpgradeOffer::None;
};

inline std::string framing_text(const message::BodyFraming& body) {
  switch (body.kind) {
    case message::BodyKind::None: return "none";
    case message::BodyKind::Length: return std::to_string(body.length);
    case message::BodyKind::Chunked: return "chunked";
    case message::BodyKind::UntilClose: return "close";
    case message::BodyKind::Unknown: return "unknown";
    case message::BodyKind::Tunnel: return "tunnel";
  }
  return "?";
}

inline std::string head_text(const message::Head& head) {
  std::string text;
  if (head.is_request()) {
    const auto& request = static_cast<const message::RequestHead&>(head);
    text = request.method + " " + request.path;
    if (request.scheme != "http") text.append(" ").append(request.scheme);
    if (request.expects_continue) text += " expect";
    if (request.accepts_trailers) text += " te";
  } else {
    const auto& response = static_cast<const message::ResponseHead&>(head);
    text = std::to_string(response.status) + " '" + response.reason + "'";
  }
  if (head.version == message::Version::Http10) text += " 1.0";
  if (!head.keep_alive) text += " last";
  if (!head.upgrade.empty()) text += " upgrade=" + head.upgrade;
  text += " [" + framing_text(head.body) + "]";
  head.headers.each([&](std::string_view name, std::string_view value, message::Name) {
    text.append(" ").append(name).append("=").append(value);
  });
  return text;
}

/// Drives one parser and writes down what it gives.
class Transcript {
 public:
  Transcript(Kind kind, std::span<const Asked> asked, const ParserLimits& limits)
      : parser_(kind, limits), asked_(asked.begin(), asked.end()), kind_(kind) {}

  void feed(buffer::Slice slice) { parser_.feed(std::move(slice)); }

  void pull() {
    while (!failed_) {
      if (kind_ == Kind::Response && parser_.at_boundary() && !is_expecting_ && !asked_.empty()) {
        parser_.expect_response_to(asked_.front().method, asked_.front().offer);
        asked_.pop_front();
        is_expecting_ = true;
      }
      if (!write(parser_.next())) return;
    }
  }
  void finish() {
    while (!failed_ && write(parser_.finish())) pull();
    if (parser_.is_tunnel()) text_ += "; rest=" + parser_.take_rest().to_string();
  }
  const std::string& text() const { return text_; }
  H1Parser& parser() { return parser_; }

 private:
  /// True when there may be more.
  bool write(Item item) {
    switch (item.kind) {
      case Item::Kind::NeedMore: return false;
      case Item::Kind::Head:
        begin();
        text_ += head_text(*item.head);
        if (!item.head->is_request() && !static_cast<message::ResponseHead&>(*item.head).is_interim())
          is_expecting_ = false;
        break;
      case Item::Kind::Body:
        EXPECT_FALSE(item.body.empty());
        if (!in_body_) {
          begin();
          text_ += "\"";
        }
        in_body_ = true;
        text_ += item.body.view();
        break;
      case Item::Kind::Failed: return fail();
      case Item::Kind::End:
        end();
        if (item.trailers)
          item.trailers->headers.each([&](std::string_view name, std::string_view value, message::Name) {
            text_.append(" ").append(name).append("=").append(value);
          });
        break;
    }
    if (item.ends) end();
    return true;
  }
  bool fail() {
    const Error& error = parser_.failure();
    begin();
    text_.append("!").append(side_name(error.side)).append(" ").append(code_name(error.code));
    failed_ = true;
    // It stays failed, with the same words.
    const std::string words = error.to_string();
    EXPECT_EQ(parser_.next().kind, Item::Kind::Failed);
    EXPECT_EQ(parser_.failure().to_string(), words);
    return false;
  }
  void end() {
    begin();
    text_ += "end";
  }
  void begin() {
    if (in_body_) text_ += "\"";
    in_body_ = false;
    if (!text_.empty()) text_ += "; ";
  }

  H1Parser parser_;
  std::deque<Asked> asked_;
  const Kind kind_;
  std::string text_;
  bool in_body_ = false;
  bool is_expecting_ = false;
  bool failed_ = false;
};

enum class Pulling { AfterEachPiece, AfterAll };

/// `text` in a chunk of its own, which is freed when the slice goes. It ends where the chunk ends, so that a
/// sanitizer sees who reads on.
inline buffer::Slice own_slice(std::string_view text, buffer::ChunkPool& pool) {
  buffer::Chunk* chunk = pool.take();
  const auto size = static_cast<uint32_t>(text.size());
  const uint32_t begin = chunk->capacity - size;
  std::memcpy(chunk->data() + begin, text.data(), size);
  chunk->used = chunk->capacity;
  buffer::Slice slice(chunk, begin, size);
  buffer::drop(chunk);
  return slice;
}

/// The transcript of `pieces`, each in memory of its own.
inline std::string transcript_of(Kind kind, std::span<const std::string_view> pieces, Pulling pulling,
                                 std::span<const Asked> asked = {},
                                 const ParserLimits& limits = default_parser_limits) {
  size_t longest = 0;
  for (const auto piece : pieces) longest = std::max(longest, piece.size());
  buffer::ChunkPool pool(longest, 0);
  std::string text;
  {
    Transcript transcript(kind, asked, limits);
    for (const auto piece : pieces) {
      transcript.feed(own_slice(piece, pool));
      if (pulling == Pulling::AfterEachPiece) transcript.pull();
      // What does not move on pins nothing but the body's and the next message's bytes.
      if (pulling == Pulling::AfterEachPiece && transcript.parser().buffered() == 0) {
        EXPECT_EQ(pool.alive(), 0u);
      }
    }
    transcript.pull();
    transcript.finish();
    text = transcript.text();
  }
  EXPECT_EQ(pool.alive(), 0u);
  return text;
}

/// Expects `expected` of `bytes` fed whole, byte by byte, and cut in two at every place.
inline void expect_transcript(Kind kind, std::string_view bytes, std::string_view expected,
                              std::span<const Asked> asked = {},
                              const ParserLimits& limits = default_parser_limits) {
  const std::vector<std::string_view> whole{bytes};
  ASSERT_EQ(transcript_of(kind, whole, Pulling::AfterAll, asked, limits), expected);
  std::vector<std::string_view> single;
  for (size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  ASSERT_EQ(transcript_of(kind, single, Pulling::AfterEachPiece, asked, limits), expected) << "byte by byte";
  ASSERT_EQ(transcript_of(kind, single, Pulling::AfterAll, asked, limits), expected) << "bytes in a row";
  const size_t step = bytes.size() > 2000 ? 997 : 1;
  for (size_t cut = 1; cut < bytes.size(); cut += step) {
    const std::vector<std::string_view> halves{bytes.substr(0, cut), bytes.substr(cut)};
    ASSERT_EQ(transcript_of(kind, halves, Pulling::AfterEachPiece, asked, limits), expected)
        << "cut at " << cut;
    ASSERT_EQ(transcript_of(kind, halves, Pulling::AfterAll, asked, limits), expected)
        << "in a row, cut at " << cut;
  }
}

}  // namespace perilune::http
