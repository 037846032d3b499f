#include "algo/url_path.hpp"

#include <vector>

#include "algo/url_router.hpp"
#include "fuzz.hpp"

namespace perilune::fuzz {
namespace {

std::string lower(std::string_view text) {
  std::string copy(text);
  for (char& c : copy)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
  return copy;
}

/// The normal form by RFC 3986 section 6.2.2, a segment at a time, with nothing of the engine's.
std::string normal_form(std::string_view path) {
  constexpr std::string_view digits = "0123456789ABCDEF0123456789abcdef";
  constexpr std::string_view unreserved =
      "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string plain;
  while (!path.empty()) {
    const size_t high = path[0] == '%' && path.size() > 2 ? digits.find(path[1]) : std::string::npos;
    const size_t low = high != std::string::npos ? digits.find(path[2]) : std::string::npos;
    if (path[0] != '%') {
      plain += path[0];
    } else if (low == std::string::npos) {
      plain += "%25";
    } else if (const char byte = static_cast<char>(high % 16 * 16 + low % 16);
               byte != 0 && unreserved.find(byte) != std::string::npos) {
      plain += byte;
    } else {
      plain.append({'%', digits[high % 16], digits[low % 16]});
    }
    path.remove_prefix(low == std::string::npos ? 1 : 3);
  }
  std::vector<std::string> segments;
  bool ends_with_slash = true;
  for (size_t at = 1; at <= plain.size();) {
    const size_t end = std::min(plain.find('/', at), plain.size());
    const std::string segment = plain.substr(at, end - at);
    const bool is_name = !segment.empty() && segment != "." && segment != "..";
    if (is_name) segments.push_back(segment);
    if (segment == ".." && !segments.empty()) segments.pop_back();
    ends_with_slash = !is_name;
    at = end + 1;
  }
  std::string normal;
  for (const auto& segment : segments) normal += "/" + segment;
  return ends_with_slash ? normal + "/" : normal;
}

/// A normal form is its own normal form and holds nothing that leads around a route.
void check_normal_form(std::string_view path) {
  std::string normal, again;
  const bool is_path = algo::normalize_path(path, normal);
  require(is_path == (path.empty() || path.front() == '/'), "whatever begins with a slash has a normal form",
          path);
  if (!is_path) return;
  const std::string expected = normal_form(path.empty() ? "/" : path);
  require(normal == expected, "it is the one of RFC 3986", normal, expected);
  require(normal.starts_with("/"), "it begins with a slash", path, normal);
  require(normal.find("//") == std::string::npos, "it has no empty segments", path, normal);
  require((normal + "/").find("/../") == std::string::npos, "it has no way up", path, normal);
  require((normal + "/").find("/./") == std::string::npos, "it has no dot segments", path, normal);
  require(normal.find('\0') == std::string::npos || path.find('\0') != std::string::npos, "no byte comes in",
          path, normal);
  require(!algo::has_broken_encoding(normal), "its encoding is whole", path, normal);
  require(algo::normalize_path(normal, again) && again == normal, "it is its own normal form", normal, again);
  if (algo::is_normal_path(path)) require(normal == path, "what is normal stays", path, normal);
}

/// A router guards what normal forms say.
void check_guard(std::string_view target) {
  static algo::UrlRouter* const router = [] {
    auto* made = new algo::UrlRouter();
    for (const char* pattern : {"/*", "/secret/*", "a.com/secret/*", "*.a.com/x"})
      if (made->add(pattern, pattern[1] == '*' ? 0 : 1).has_error()) std::abort();
    return made;
  }();
  (void)router->find(target, "/secret/x");
  const auto match = router->find(std::nullopt, target);
  if (!target.starts_with("/")) return;
  const std::string normal = normal_form(algo::path_of_target(target));
  const bool is_secret = normal == "/secret" || normal.starts_with("/secret/");
  require(match && (match->value == 1) == is_secret, "the route goes by the normal form", target, normal);
}

/// One pattern matches what its words say.
void check_pattern(std::string_view pattern, std::string_view host, std::string_view target) {
  algo::UrlRouter router;
  if (router.add(pattern, 7).has_error()) return;
  require(!router.add(pattern, 7).has_error(), "a pattern may come again", pattern);
  const auto match = router.find(host, target);
  if (match) require(match->value == 7, "only what was added is found", pattern, target);
  if (!target.starts_with("/") || host.size() > 250) return;

  const size_t slash = pattern.find('/');
  std::string wanted_host = lower(pattern.substr(0, slash));
  std::string name = lower(host.substr(0, host.starts_with("[") ? host.find(']') + 1 : host.find(':')));
  if (host.starts_with("[") && host.find(']') == std::string_view::npos) name.clear();
  while (name.ends_with(".")) name.pop_back();
  bool fits = wanted_host.empty();
  if (wanted_host.starts_with("*.")) fits = !name.starts_with("[") && name.ends_with(wanted_host.substr(1));
  else if (!wanted_host.empty()) fits = name == wanted_host;

  std::string_view wanted = pattern.substr(slash);
  const bool is_wildcard = wanted.ends_with("/*");
  if (is_wildcard) wanted.remove_suffix(2);
  std::string path = normal_form(wanted.empty() ? "/" : wanted);
  const std::string normal = normal_form(algo::path_of_target(target));
  if (is_wildcard) {
    if (path.ends_with("/")) path.pop_back();
    fits = fits && (normal == path || normal.starts_with(path + "/"));
  } else {
    fits = fits && normal == path;
  }
  require(match.has_value() == fits, "a pattern matches by its host and its path", pattern,
          std::string(host).append(target));
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace
}  // namespace perilune::fuzz

/// A request target, and on lines of their own, if any, a pattern of a router and a host to look for.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string target(fuzz::take_line(text));
  const std::string pattern(fuzz::take_line(text));
  const std::string host(text);
  fuzz::check_normal_form(target);
  fuzz::check_normal_form(algo::path_of_target(target));
  fuzz::check_guard(target);
  if (!pattern.empty()) fuzz::check_pattern(pattern, host, target);
  return 0;
}
