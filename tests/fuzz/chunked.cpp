#include <algorithm>

#include "fuzz.hpp"
#include "http/chunked_decoder.hpp"

namespace perilune::fuzz {
namespace {

constexpr size_t line_bytes_max = 64;

/// The body, how it ended, and how many bytes that took.
std::string decode(std::string_view text, uint32_t seed, bool is_cut) {
  http::ChunkedDecoder decoder;
  Cuts cuts(seed);
  std::string body;
  size_t taken = 0;
  while (taken < text.size()) {
    std::string_view piece = text.substr(taken, is_cut ? cuts.next() : std::string_view::npos);
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
      const size_t count = std::min<uint64_t>(decoder.data_left(), piece.size());
      body += piece.substr(0, count);
      decoder.take_data(count);
      taken += count;
      piece.remove_prefix(count);
    }
  }
  return body + "|unfinished";
}

}  // namespace
}  // namespace perilune::fuzz

/// A seed, then a chunked body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune::fuzz;
  Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  const std::string whole = decode(decisions.rest(), seed, false);
  const std::string cut = decode(decisions.rest(), seed, true);
  require(whole == cut, "cut, it decodes to the same", whole, cut);
  return 0;
}
