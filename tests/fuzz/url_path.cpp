#include "algo/url_path.hpp"

#include "algo/url_router.hpp"
#include "fuzz.hpp"

/// A path. Its normal form is its own normal form and holds nothing that leads around a route; and what a router
/// guards is what normal forms say.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  const std::string_view path(reinterpret_cast<const char*>(data), size);
  static algo::UrlRouter* const router = [] {
    auto* made = new algo::UrlRouter();
    for (const char* pattern : {"/*", "/secret/*", "a.com/secret/*", "*.a.com/x"})
      if (made->add(pattern, pattern[1] == '*' ? 0 : 1).has_error()) std::abort();
    return made;
  }();
  std::string normal, again;
  const auto match = router->find(std::nullopt, path);
  (void)router->find(path, "/secret/x");
  const std::string_view plain = algo::path_of_target(path);
  if (!algo::normalize_path(plain, normal)) return 0;
  fuzz::require(normal.starts_with("/"), "a normal path begins with a slash", plain, normal);
  fuzz::require(normal.find("//") == std::string::npos, "no empty segments", plain, normal);
  fuzz::require((normal + "/").find("/../") == std::string::npos, "no way up", plain, normal);
  fuzz::require((normal + "/").find("/./") == std::string::npos, "no dot segments", plain, normal);
  fuzz::require(algo::normalize_path(normal, again) && again == normal, "the normal form is its own", normal, again);
  if (algo::is_normal_path(plain)) fuzz::require(normal == plain, "what is normal stays", plain, normal);
  if (!path.starts_with("/")) return 0;
  const bool is_secret = normal == "/secret" || normal.starts_with("/secret/");
  fuzz::require(match && (match->value == 1) == is_secret, "the route goes by the normal form", path, normal);
  return 0;
}
