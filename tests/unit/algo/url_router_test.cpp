#include "algo/url_router.hpp"

#include <gtest/gtest.h>

#include "algo/url_path.hpp"

namespace perilune::algo {
namespace {

struct PathCase {
  std::string path;
  std::optional<std::string> normal;
  friend void PrintTo(const PathCase& test, std::ostream* out) { *out << test.path; }
};
class PathTest : public testing::TestWithParam<PathCase> {};
TEST_P(PathTest, HasThisNormalForm) {
  std::string out = "left over";
  const bool has_form = normalize_path(GetParam().path, out);
  ASSERT_EQ(has_form, GetParam().normal.has_value());
  if (!has_form) return;
  EXPECT_EQ(out, *GetParam().normal);
  std::string again;
  EXPECT_TRUE(normalize_path(out, again));
  EXPECT_EQ(again, out) << "a normal form is its own normal form";
  EXPECT_TRUE(!is_normal_path(GetParam().path) || out == GetParam().path);
}
INSTANTIATE_TEST_SUITE_P(Paths, PathTest,
                         testing::Values(
                             // as they are
                             PathCase{"/", "/"}, PathCase{"/a/b", "/a/b"}, PathCase{"/a/b/", "/a/b/"},
                             PathCase{"/.well-known/x", "/.well-known/x"}, PathCase{"/a/...", "/a/..."},
                             PathCase{"/a.b/..c", "/a.b/..c"}, PathCase{"/A", "/A"}, PathCase{"", "/"},
                             // slashes
                             PathCase{"//", "/"}, PathCase{"//a", "/a"}, PathCase{"/a//b", "/a/b"},
                             PathCase{"/a///", "/a/"},
                             // dot segments; RFC 3986 section 5.2.4 gives the first two
                             PathCase{"/a/b/c/./../../g", "/a/g"}, PathCase{"/mid/content=5/../6", "/mid/6"},
                             PathCase{"/.", "/"}, PathCase{"/..", "/"}, PathCase{"/../..//../x", "/x"},
                             PathCase{"/a/.", "/a/"}, PathCase{"/a/..", "/"}, PathCase{"/a/b/..", "/a/"},
                             PathCase{"/a//../b", "/b"}, PathCase{"/a/./b", "/a/b"}, PathCase{"/./a", "/a"},
                             // percent-encoding
                             PathCase{"/%68i", "/hi"}, PathCase{"/%7Eann/%2d%5F%2E", "/~ann/-_."},
                             PathCase{"/a/%2e%2E/b", "/b"}, PathCase{"/a%2fb", "/a%2Fb"},
                             PathCase{"/%c3%a4", "/%C3%A4"}, PathCase{"/%2541", "/%2541"},
                             PathCase{"/%00", "/%00"}, PathCase{"/%2f..%2fx", "/%2F..%2Fx"},
                             // what encodes nothing
                             PathCase{"/%", "/%25"}, PathCase{"/%4", "/%254"}, PathCase{"/%4g", "/%254g"},
                             PathCase{"/%%41", "/%25A"}, PathCase{"/a%zz/../%2e%", "/.%25"},
                             PathCase{"/%u002e%u002e/", "/%25u002e%25u002e/"},
                             // none
                             PathCase{"a/b", std::nullopt}, PathCase{"*", std::nullopt}));

struct Found {
  uint32_t value;
  std::string rest;
  friend bool operator==(const Found&, const Found&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Found& found) {
    return out << found.value << " \"" << found.rest << "\"";
  }
};

struct RouteCase {
  std::vector<std::string> patterns;  // the value of each is its place, beginning with 1
  std::optional<std::string> host;
  std::string target;
  std::optional<Found> found;
  friend void PrintTo(const RouteCase& test, std::ostream* out) {
    *out << test.host.value_or("(no host)") << " " << test.target;
  }
};
class RouteTest : public testing::TestWithParam<RouteCase> {};
TEST_P(RouteTest, FindsTheMostFitting) {
  const RouteCase& test = GetParam();
  UrlRouter router;
  for (size_t i = 0; i < test.patterns.size(); ++i)
    ASSERT_TRUE(router.add(test.patterns[i], static_cast<uint32_t>(i + 1))) << test.patterns[i];
  const auto match = router.find(test.host, test.target);
  std::optional<Found> found;
  if (match) {
    found = Found{match->value, std::string(match->rest)};
    EXPECT_EQ(match->pattern, test.patterns[match->value - 1]);
  }
  EXPECT_EQ(found, test.found) << test.host.value_or("(no host)") << " " << test.target;
}

const std::vector<std::string> lesson{"/*", "/hi/*"};
const std::vector<std::string> exact{"/hi", "/hi/*", "/hi/there/*", "/hi/there"};
const std::vector<std::string> hosts{"/*", "a.com/*", "*.a.com/*", "*.b.a.com/*", "a.com/x", "*.com/y"};
const std::vector<std::string> through{"/x", "a.com/only", "*.com/y", "*.b.com/only"};

INSTANTIATE_TEST_SUITE_P(Lesson, RouteTest,
                         testing::Values(RouteCase{lesson, "h", "/", Found{1, ""}},
                                         RouteCase{lesson, "h", "/a/b", Found{1, "a/b"}},
                                         RouteCase{lesson, "h", "/hi", Found{2, ""}},
                                         RouteCase{lesson, "h", "/hi/", Found{2, ""}},
                                         RouteCase{lesson, "h", "/hi/a/b/", Found{2, "a/b/"}},
                                         RouteCase{lesson, std::nullopt, "/hi/a", Found{2, "a"}},
                                         RouteCase{lesson, "h", "/hiya", Found{1, "hiya"}},
                                         RouteCase{lesson, "h", "/Hi", Found{1, "Hi"}},
                                         RouteCase{lesson, "h", "/hi?x=/y", Found{2, ""}},
                                         RouteCase{lesson, "h", "?x", Found{1, ""}},
                                         RouteCase{lesson, "h", "/hi#x", Found{2, ""}}));

INSTANTIATE_TEST_SUITE_P(WaysAroundARoute, RouteTest,
                         testing::Values(RouteCase{lesson, "h", "//hi/x", Found{2, "x"}},
                                         RouteCase{lesson, "h", "/./hi/x", Found{2, "x"}},
                                         RouteCase{lesson, "h", "/%68i/x", Found{2, "x"}},
                                         RouteCase{lesson, "h", "/a/../hi/x", Found{2, "x"}},
                                         RouteCase{lesson, "h", "/a/%2e%2e/hi", Found{2, ""}},
                                         RouteCase{lesson, "h", "/hi/../x", Found{1, "x"}},
                                         RouteCase{lesson, "h", "/hi%2Fx", Found{1, "hi%2Fx"}},
                                         RouteCase{lesson, "h", "/hi/%zz", Found{2, "%25zz"}},
                                         RouteCase{lesson, "h", "/hi/%", Found{2, "%25"}},
                                         RouteCase{lesson, "h", "/%zz/../hi", Found{2, ""}},
                                         RouteCase{{"/a%25zz"}, "h", "/a%zz", Found{1, ""}}));

INSTANTIATE_TEST_SUITE_P(
    ExactBeatsWildcard, RouteTest,
    testing::Values(RouteCase{exact, "h", "/hi", Found{1, ""}}, RouteCase{exact, "h", "/hi/", Found{2, ""}},
                    RouteCase{exact, "h", "/hi/there", Found{4, ""}},
                    RouteCase{exact, "h", "/hi/there/", Found{3, ""}},
                    RouteCase{exact, "h", "/hi/there/x", Found{3, "x"}},
                    RouteCase{exact, "h", "/hi/them/x", Found{2, "them/x"}},
                    RouteCase{exact, "h", "/", std::nullopt}, RouteCase{{"/a/"}, "h", "/a", std::nullopt},
                    RouteCase{{"/a/"}, "h", "/a/", Found{1, ""}}, RouteCase{{"/"}, "h", "/", Found{1, ""}},
                    RouteCase{{"/"}, "h", "/a", std::nullopt}));

INSTANTIATE_TEST_SUITE_P(
    Hosts, RouteTest,
    testing::Values(
        RouteCase{hosts, "a.com", "/z", Found{2, "z"}}, RouteCase{hosts, "A.Com", "/x", Found{5, ""}},
        RouteCase{hosts, "a.com:8080", "/x", Found{5, ""}}, RouteCase{hosts, "a.com.", "/x", Found{5, ""}},
        RouteCase{hosts, "a.com..", "/x", Found{5, ""}},
        RouteCase{hosts, "w.a.com...:80", "/z", Found{3, "z"}}, RouteCase{hosts, "..", "/z", Found{1, "z"}},
        RouteCase{hosts, "w.a.com", "/z", Found{3, "z"}}, RouteCase{hosts, "v.w.a.com", "/z", Found{3, "z"}},
        RouteCase{hosts, "w.b.a.com", "/z", Found{4, "z"}}, RouteCase{hosts, "b.a.com", "/z", Found{3, "z"}},
        RouteCase{hosts, "xa.com", "/z", Found{1, "z"}}, RouteCase{hosts, "xa.com", "/y", Found{6, ""}},
        RouteCase{hosts, "", "/z", Found{1, "z"}}, RouteCase{hosts, ".a.com", "/z", Found{3, "z"}},
        RouteCase{hosts, std::string(300, 'a') + ".a.com", "/z", Found{3, "z"}},
        RouteCase{hosts, std::string(300, 'a'), "/z", Found{1, "z"}}));

INSTANTIATE_TEST_SUITE_P(FallsThroughToTheNextHost, RouteTest,
                         testing::Values(RouteCase{through, "a.com", "/only", Found{2, ""}},
                                         RouteCase{through, "a.com", "/x", Found{1, ""}},
                                         RouteCase{through, "a.com", "/y", Found{3, ""}},
                                         RouteCase{through, "w.b.com", "/y", Found{3, ""}},
                                         RouteCase{through, "a.com", "/z", std::nullopt}));

INSTANTIATE_TEST_SUITE_P(Addresses, RouteTest,
                         testing::Values(RouteCase{{"[::1]/*"}, "[::1]", "/", Found{1, ""}},
                                         RouteCase{{"[::1]/*"}, "[::1]:80", "/", Found{1, ""}},
                                         RouteCase{
                                             {"[2001:DB8::1]/*"}, "[2001:db8::1]:80", "/", Found{1, ""}},
                                         RouteCase{{"[::1]/*"}, "[::1", "/", std::nullopt},
                                         RouteCase{{"*.1/*", "10.0.0.1/*"}, "10.0.0.1:80", "/", Found{2, ""}},
                                         RouteCase{{"*.1]/*"}, "[::ffff:10.0.0.1]", "/", std::nullopt}));

INSTANTIATE_TEST_SUITE_P(OtherTargets, RouteTest,
                         testing::Values(RouteCase{lesson, "h", "*", std::nullopt},
                                         RouteCase{{"/hi/*"}, "h", "*", std::nullopt},
                                         RouteCase{{"h/*", "/*"}, "h", "*", std::nullopt},
                                         RouteCase{hosts, "other", "http://a.com/x", Found{5, ""}},
                                         RouteCase{hosts, "a.com", "http://other/x", Found{1, "x"}},
                                         RouteCase{hosts, "other", "http://A.com:80", Found{2, ""}},
                                         RouteCase{hosts, "other", "http://u:p@a.com?q", Found{2, ""}},
                                         RouteCase{lesson, "h", "http://", Found{1, ""}},
                                         RouteCase{lesson, "h", "://", Found{1, ""}},
                                         RouteCase{lesson, "h", "a.com:443", std::nullopt},
                                         RouteCase{lesson, "h", "hi", std::nullopt},
                                         RouteCase{lesson, "h", "", Found{1, ""}},
                                         RouteCase{{}, "h", "/", std::nullopt}));

struct BadCase {
  std::string pattern;
  std::string word;
  friend void PrintTo(const BadCase& test, std::ostream* out) { *out << test.pattern; }
};
class BadPatternTest : public testing::TestWithParam<BadCase> {};
TEST_P(BadPatternTest, IsRefusedAndNamed) {
  UrlRouter router;
  const auto result = router.add(GetParam().pattern, 1);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().side, Side::Script);
  EXPECT_NE(result.error().detail.find('"' + GetParam().pattern + '"'), std::string::npos);
  EXPECT_NE(result.error().detail.find(GetParam().word), std::string::npos) << result.error().detail;
  EXPECT_EQ(router.size(), 0u);
  EXPECT_FALSE(router.find("h", "/"));
}
INSTANTIATE_TEST_SUITE_P(Patterns, BadPatternTest,
                         testing::Values(BadCase{"", "no path"}, BadCase{"a.com", "no path"},
                                         BadCase{"a.com:80/x", "port"}, BadCase{"http://a.com/x", "scheme"},
                                         BadCase{"*/x", "leading"}, BadCase{"a.*.com/x", "leading"},
                                         BadCase{"*.*.com/x", "leading"}, BadCase{"*./x", "empty label"},
                                         BadCase{"a..com/x", "empty label"}, BadCase{".com/x", "empty label"},
                                         BadCase{"u@a.com/x", "character"}, BadCase{"[::1/x", "bracket"},
                                         BadCase{"/a/*/b", "last segment"}, BadCase{"/a*", "last segment"},
                                         BadCase{"/a?x", "query"}, BadCase{"/a#x", "query"},
                                         BadCase{"/%zz", "hex"}));

TEST(UrlRouter, TheSamePatternAgainReplacesItsValue) {
  UrlRouter router;
  ASSERT_TRUE(router.add("/a", 1));
  ASSERT_TRUE(router.add("/a", 2));
  EXPECT_EQ(router.find(std::nullopt, "/a")->value, 2u);
  EXPECT_EQ(router.size(), 1u);
}

TEST(UrlRouter, AnotherSpellingOfAPatternIsRefused) {
  UrlRouter router;
  ASSERT_TRUE(router.add("a.com/hi/*", 1));
  for (const char* same : {"A.com/hi/*", "a.com/%68i/*", "a.com//hi/*", "a.com/x/../hi/*"}) {
    const auto result = router.add(same, 2);
    ASSERT_FALSE(result) << same;
    EXPECT_NE(result.error().detail.find("\"a.com/hi/*\""), std::string::npos);
  }
  EXPECT_EQ(router.find("a.com", "/hi")->value, 1u);
}

TEST(UrlRouter, ManyRoutesAndAVeryDeepPath) {
  UrlRouter router;
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(router.add("/r" + std::to_string(i) + "/*", i));
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(router.find("h", "/r" + std::to_string(i) + "/x")->value, i);
  std::string deep;
  for (int i = 0; i < 8000; ++i) deep += "/a/..";
  EXPECT_FALSE(router.find("h", deep));
  EXPECT_EQ(router.find("h", deep + "/r7")->value, 7u);
}

}  // namespace
}  // namespace perilune::algo
