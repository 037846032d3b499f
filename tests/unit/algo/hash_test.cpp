#include "algo/hash.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>

namespace perilune::algo {
namespace {

// Part of the interface: other programs and older versions agree on these. A change here moves everybody's
// keys. They are FNV-1a's published values ("" cbf29ce484222325, "a" af63dc4c8601ec8c, "foobar"
// 85944171f73967e8), mixed.
static_assert(hash("") == mix(0xcbf29ce484222325ULL));
static_assert(hash("a") == mix(0xaf63dc4c8601ec8cULL));
static_assert(hash("foobar") == mix(0x85944171f73967e8ULL));
static_assert(mix(1) == 0xb456bcfc34c2cb2cULL);
static_assert(mix(0) == 0);

TEST(Hash, BytesAboveAsciiAreUnsigned) {
  // By hand: (offset basis ^ 0xff) * prime.
  EXPECT_EQ(hash("\xff"), mix((0xcbf29ce484222325ULL ^ 0xff) * 0x100000001b3ULL));
}

TEST(Hash, AChangedBitChangesAboutHalfOfTheResult) {
  double changed = 0;
  for (int bit = 0; bit < 64; ++bit) {
    std::string text = "perilune";
    text[static_cast<size_t>(bit / 8)] =
        static_cast<char>(text[static_cast<size_t>(bit / 8)] ^ (1 << (bit % 8)));
    changed += std::popcount(hash(text) ^ hash("perilune"));
  }
  EXPECT_NEAR(changed / 64, 32, 3);
}

TEST(Hash, NeighbouringNumbersAreFarApart) {
  std::set<uint64_t> upper_bytes;
  for (uint64_t number = 0; number < 256; ++number) upper_bytes.insert(hash(number) >> 56);
  EXPECT_GT(upper_bytes.size(), 140u);  // 162 are expected of dice
}

TEST(Hash, TheNumberForScriptsIsExactInADouble) {
  EXPECT_EQ(hash_as_number(UINT64_MAX), 9007199254740991.0);
  EXPECT_EQ(hash_as_number(uint64_t{1} << 11), 1.0);
}

}  // namespace
}  // namespace perilune::algo
