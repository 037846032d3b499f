#include <algorithm>

#include "buffer/buffer.hpp"
#include "fuzz.hpp"
#include "http/chunked_decoder.hpp"
#include "http/h1_writer.hpp"

namespace perilune::fuzz {
namespace {

constexpr size_t line_bytes_max = 64;

enum class Feeding { Whole, InPieces, ByteByByte };

/// The body, how it ended, and how many bytes that took.
std::string decode(std::string_view text, Cuts cuts, Feeding feeding) {
  http::ChunkedDecoder decoder;
  std::string body;
  size_t taken = 0;
  while (taken < text.size()) {
    size_t size = feeding == Feeding::ByteByByte ? 1 : text.size();
    if (feeding == Feeding::InPieces) size = cuts.next();
    std::string_view piece = text.substr(taken, size);
    while (!piece.empty()) {
      const auto step = decoder.advance(piece, line_bytes_max);
      require(step.consumed <= piece.size(), "no more is consumed than there is");
      taken += step.consumed;
      piece.remove_prefix(step.consumed);
      using Outcome = http::ChunkedDecoder::Outcome;
      if (step.outcome == Outcome::Malformed) return body + "|malformed";
      if (step.outcome == Outcome::LastChunk) return body + "|" + std::to_string(taken);
      if (step.outcome != Outcome::Data) {
        require(piece.empty(), "more is asked for only when all is read");
        continue;
      }
      require(decoder.data_left() > 0, "no chunk of data is empty");
      const size_t count = std::min<uint64_t>(decoder.data_left(), piece.size());
      body += piece.substr(0, count);
      decoder.take_data(count);
      taken += count;
      piece.remove_prefix(count);
    }
  }
  return body + "|unfinished";
}

/// The same by the grammar of RFC 9112 section 7.1, one function a rule, and with nothing of the engine's.
class Reference {
 public:
  explicit Reference(std::string_view text) : text_(text) {}

  std::string decode() {
    try {
      while (read_chunk()) {
      }
      return body_ + "|" + std::to_string(at_);
    } catch (const Ended&) {
      return body_ + "|unfinished";
    } catch (const Wrong&) {
      return body_ + "|malformed";
    }
  }

 private:
  struct Ended {};
  struct Wrong {};

  static bool is_token(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  }
  static bool is_text(char c) { return c == '\t' || (static_cast<uint8_t>(c) >= 32 && c != 127); }

  char peek() const {
    if (at_ == text_.size()) throw Ended();
    if (text_[at_] != '\r' && text_[at_] != '\n' && at_ - line_begin_ >= line_bytes_max) throw Wrong();
    return text_[at_];
  }
  void expect(bool holds) {
    if (!holds) throw Wrong();
    ++at_;
  }
  void blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void token() {
    expect(is_token(peek()));
    while (is_token(peek())) ++at_;
  }
  void quoted() {
    expect(peek() == '"');
    while (peek() != '"') {
      if (peek() == '\\') ++at_;
      expect(is_text(peek()));
    }
    ++at_;
  }
  void extension() {
    blanks();
    token();
    blanks();
    if (peek() != '=') return;
    ++at_;
    blanks();
    if (peek() == '"') quoted();
    else token();
    blanks();
  }
  uint64_t size() {
    constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
    uint64_t value = 0;
    size_t count = 0;
    for (size_t digit; (digit = digits.find(peek())) != std::string_view::npos; ++at_) {
      if (++count > 16) throw Wrong();
      value = value * 16 + digit % 16;
    }
    if (count == 0) throw Wrong();
    return value;
  }
  void line_end() {
    expect(peek() == '\r');
    expect(peek() == '\n');
  }
  /// False behind the last chunk.
  bool read_chunk() {
    line_begin_ = at_;
    const uint64_t count = size();
    while (peek() == ';') {
      ++at_;
      extension();
    }
    expect(peek() == '\r');
    const size_t line_bytes = at_ - 1 - line_begin_;
    expect(peek() == '\n');
    // A sender is given so much for each chunk and each byte of it; beyond, it may be in debt for 64 KiB.
    debt_ += static_cast<int64_t>(line_bytes) + 4 - 16 -
             2 * static_cast<int64_t>(std::min<uint64_t>(count, 64 * 1024));
    debt_ = std::max<int64_t>(debt_, 0);
    if (debt_ > 64 * 1024) throw Wrong();
    if (count == 0) return false;
    const size_t here = static_cast<size_t>(std::min<uint64_t>(count, text_.size() - at_));
    body_ += text_.substr(at_, here);
    at_ += here;
    if (here < count) throw Ended();
    line_begin_ = at_;
    line_end();
    return true;
  }

  std::string_view text_;
  std::string body_;
  size_t at_ = 0;
  size_t line_begin_ = 0;
  int64_t debt_ = 0;
};

/// What the writer makes of a body decodes to the body, and ends where it ends.
void write_and_decode(std::string_view body, uint32_t seed) {
  buffer::ChunkPool pool(4096);
  std::string text;
  {
    buffer::Buffer out;
    Cuts cuts(seed);
    for (std::string_view rest = body; !rest.empty();) {
      const std::string_view piece = rest.substr(0, cuts.next());
      http::write_chunk(buffer::buffer_of(piece, pool), out, pool);
      rest.remove_prefix(piece.size());
    }
    http::write_last_chunk(nullptr, out, pool);
    text = out.to_string();
  }
  require(text.ends_with("0\r\n\r\n"), "a written body ends", text);
  const std::string expected = std::string(body) + "|" + std::to_string(text.size() - 2);
  const std::string read = decode(text, Cuts(seed), Feeding::InPieces);
  require(read == expected, "what was written is read", read, expected);
}

}  // namespace
}  // namespace perilune::fuzz

/// A seed, then a chunked body; some seeds have it many times over, so that it reaches what only long ones
/// do.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune::fuzz;
  Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  std::string text(decisions.rest());
  write_and_decode(text, seed);
  if (seed % 64 == 0 && !text.empty())
    for (const std::string once = text; text.size() < 100'000;) text += once;
  const std::string whole = decode(text, Cuts(seed), Feeding::Whole);
  const std::string cut = decode(text, Cuts(seed), Feeding::InPieces);
  require(whole == cut, "cut, it decodes to the same", whole, cut);
  const std::string bytes = decode(text, Cuts(seed), Feeding::ByteByByte);
  require(whole == bytes, "byte by byte, it decodes to the same", whole, bytes);
  const std::string expected = Reference(text).decode();
  require(whole == expected, "it decodes as the grammar says", whole, expected);
  return 0;
}
