#pragma once

#include "fuzz.hpp"
#include "http/transcript.hpp"

/// The transcripts of the parser's own tests, for inputs that nobody thought of: any cut of the same bytes reads the
/// same, byte by byte or all at once, and nothing of the input is held when all is read.
namespace perilune::fuzz {

/// A failed expectation inside a transcript ends the program, where the fuzzer sees it.
inline const bool expectations_abort = [] {
  GTEST_FLAG_SET(break_on_failure, true);
  return true;
}();

inline void read_in_all_cuts(http::Kind kind, std::string_view text, std::span<const http::Asked> asked, uint32_t seed) {
  const std::string_view pieces_of_one[] = {text};
  std::vector<std::string_view> pieces;
  Cuts cuts(seed);
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view piece = rest.substr(0, cuts.next());
    pieces.push_back(piece);
    rest.remove_prefix(piece.size());
  }
  if (pieces.empty()) return;
  const std::string whole = transcript_of(kind, pieces_of_one, http::Pulling::AfterAll, asked);
  const std::string each = transcript_of(kind, pieces, http::Pulling::AfterEachPiece, asked);
  const std::string at_last = transcript_of(kind, pieces, http::Pulling::AfterAll, asked);
  require(whole == each, "cut and pulled, it reads the same", whole, each);
  require(whole == at_last, "cut, it reads the same", whole, at_last);
}

}  // namespace perilune::fuzz
