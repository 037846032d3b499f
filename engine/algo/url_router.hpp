#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"

namespace perilune::algo {

/// Finds the value of the most fitting of a set of URL patterns. Values are numbers that mean something to
/// the caller.
///
/// A pattern is a path with an optional host in front of it:
///   "/hi"            exactly this path, "/hi/" is another one
///   "/hi/*"          "/hi", "/hi/" and everything below; "/*" is everything
///   "a.com/hi"       on this host only, case ignored
///   "*.a.com/hi"     on every host below a.com, any number of labels, but not on a.com itself
///   "[::1]/hi"       an IPv6 address in its brackets, compared as text
/// Find asks first the exact host, then the `*.` hosts with the longest first, then the patterns without a
/// host; a host none of whose paths match is as good as no host. Within one host an exact path is better than
/// any `*`, and of these the longest wins.
///
/// Paths are compared in their normal form (url_path.hpp): a dot segment, a double slash or an encoded letter
/// does not lead around a route. Not taken apart: %2F, path parameters (";x"), a backslash.
class UrlRouter {
 public:
  struct Match {
    uint32_t value;
    /// What `*` stands for, without the slash in front: "a/b" for /hi/a/b under "/hi/*", empty for an
    /// exact path. Of the normalised path. Good until the next find, and as long as the target lives.
    std::string_view rest;
    /// The pattern as it was written. Good until the next add.
    std::string_view pattern;
  };

  /// Adds a pattern; the same text again replaces its value. Errors, all ScriptError (Side::Script) and
  /// naming the pattern: no path, a port, a query, an empty label, a "*" elsewhere than in the two places
  /// above, a broken percent-encoding, another text that means the same.
  Result<void> add(std::string_view pattern, uint32_t value);

  /// `host` is a Host field: a port is cut off, dots at the end too; of one longer than 255 bytes, which no
  /// DNS name is, the last labels count. `target` is a request target:
  ///   - "/path?query", the query is cut off;
  ///   - "http://host/path" (absolute-form): its host counts, not the argument (RFC 9112 section 3.2.2);
  ///   - "*" (asterisk-form) asks about the server as a whole, which is no path: it matches nothing;
  ///   - "host:port" (authority-form) and anything else that does not begin with "/" match nothing.
  /// A "%" that encodes nothing stands for itself, as "%25" does: "/secret/%zz" is below "/secret/*".
  /// Does not allocate once its scratch space has grown to the longest path.
  std::optional<Match> find(std::optional<std::string_view> host, std::string_view target);

  size_t size() const { return routes_.size(); }

 private:
  static constexpr uint32_t none = UINT32_MAX;

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <typename T>
  using ByText = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

  /// A place in the tree of path segments, and the routes that end in it.
  struct Node {
    std::vector<std::pair<std::string, uint32_t>> children;  // sorted by segment
    uint32_t exact = none;
    uint32_t wildcard = none;
  };
  struct Route {
    std::string pattern;
    uint32_t value;
  };
  struct Parts;
  struct Request;

  static Result<Parts> parse(std::string_view pattern);
  uint32_t& root_of(const Parts& parts);
  uint32_t new_node();
  uint32_t child(uint32_t node, std::string_view segment) const;
  uint32_t make_child(uint32_t node, std::string_view segment);
  bool understand(std::optional<std::string_view> host, std::string_view target, Request& request);
  std::string_view normal_host(std::string_view host);
  std::optional<Match> find_in(uint32_t root, const Request& request) const;
  Match matched(uint32_t route, std::string_view rest) const;

  std::vector<Route> routes_;
  std::vector<Node> nodes_;
  ByText<uint32_t> exact_hosts_;     // to the root of each
  ByText<uint32_t> wildcard_hosts_;  // likewise, by what follows "*."
  uint32_t any_host_ = none;
  std::string path_scratch_;
  std::string host_scratch_;
};

}  // namespace perilune::algo
