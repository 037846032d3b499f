#include "algo/url_router.hpp"

#include <algorithm>
#include <utility>

#include "algo/url_path.hpp"
#include "base/text.hpp"

namespace perilune::algo {
namespace {

Error bad_pattern(std::string_view pattern, std::string_view why) {
  return Error{ErrorCode::ScriptError, Side::Script,
               "the pattern " + in_quotes(pattern, 200) + " " + std::string(why)};
}

/// Takes the next segment off `path`, which begins with a slash.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool compare_segment(const std::pair<std::string, uint32_t>& child, std::string_view segment) {
  return child.first < segment;
}

/// Why this cannot be the host of a pattern; empty when it can.
std::string_view fault_of_host(std::string_view host) {
  if (host.front() == '[') return host.back() == ']' ? "" : "has an IPv6 address without its closing bracket";
  if (host.back() == ':') return "has a scheme, and schemes are not matched";
  if (host.find(':') != std::string_view::npos) return "has a port, and ports are not matched";
  if (host.find_first_of("@ \t") != std::string_view::npos) return "has a character that no host can have";
  if (host.find('*') != std::string_view::npos)
    return "has a \"*\" in its host, where only a leading \"*.\" is allowed";
  if (host.front() == '.' || host.back() == '.' || host.find("..") != std::string_view::npos)
    return "has an empty label in its host";
  return "";
}

}  // namespace

struct UrlRouter::Parts {
  std::string host;
  std::string path;  // without the `/*`
  bool is_wildcard_host = false;
  bool is_wildcard_path = false;
};

struct UrlRouter::Request {
  std::string_view host;
  std::string_view path;
};

Result<UrlRouter::Parts> UrlRouter::parse(std::string_view pattern) {
  Parts parts;
  const size_t slash = pattern.find('/');
  if (slash == std::string_view::npos)
    return bad_pattern(pattern, "has no path: write \"/*\" behind the host for all of its paths");

  std::string_view host = pattern.substr(0, slash);
  if (host.starts_with("*.")) {
    parts.is_wildcard_host = true;
    host.remove_prefix(2);
    if (host.empty()) return bad_pattern(pattern, "has an empty label in its host");
  }
  if (!host.empty())
    if (const auto fault = fault_of_host(host); !fault.empty()) return bad_pattern(pattern, fault);
  parts.host = to_lower(host);

  std::string_view path = pattern.substr(slash);
  if (path.find_first_of("?#") != std::string_view::npos)
    return bad_pattern(pattern, "has a query or fragment, and only paths are matched");
  if (path.ends_with("/*")) {
    parts.is_wildcard_path = true;
    path.remove_suffix(2);
  }
  if (path.find('*') != std::string_view::npos)
    return bad_pattern(pattern, "has a \"*\" in its path, where only a last segment \"/*\" is allowed");
  if (has_broken_encoding(path)) return bad_pattern(pattern, "has a \"%\" without two hex digits behind it");
  normalize_path(path, parts.path);
  // "/*" and "/hi/*" hang on the node in front of the slash.
  if (parts.is_wildcard_path && parts.path.ends_with('/')) parts.path.pop_back();
  return parts;
}

uint32_t& UrlRouter::root_of(const Parts& parts) {
  if (parts.host.empty()) return any_host_;
  auto& hosts = parts.is_wildcard_host ? wildcard_hosts_ : exact_hosts_;
  return hosts.try_emplace(parts.host, none).first->second;
}

uint32_t UrlRouter::new_node() {
  nodes_.emplace_back();
  return static_cast<uint32_t>(nodes_.size() - 1);
}

uint32_t UrlRouter::child(uint32_t node, std::string_view segment) const {
  const auto& children = nodes_[node].children;
  const auto place = std::lower_bound(children.begin(), children.end(), segment, compare_segment);
  return place != children.end() && place->first == segment ? place->second : none;
}

uint32_t UrlRouter::make_child(uint32_t node, std::string_view segment) {
  if (const uint32_t known = child(node, segment); known != none) return known;
  const uint32_t made = new_node();
  auto& children = nodes_[node].children;
  children.emplace(std::lower_bound(children.begin(), children.end(), segment, compare_segment), segment,
                   made);
  return made;
}

Result<void> UrlRouter::add(std::string_view pattern, uint32_t value) {
  auto parts = parse(pattern);
  if (!parts) return parts.error();

  uint32_t& root = root_of(*parts);
  if (root == none) root = new_node();
  uint32_t node = root;
  for (std::string_view path = parts->path; !path.empty();) node = make_child(node, take_segment(path));

  uint32_t& route = parts->is_wildcard_path ? nodes_[node].wildcard : nodes_[node].exact;
  if (route == none) {
    route = static_cast<uint32_t>(routes_.size());
    routes_.push_back({std::string(pattern), value});
    return {};
  }
  // Two spellings of one pattern with different values: one of them would silently never be used.
  if (routes_[route].pattern != pattern)
    return bad_pattern(pattern, "means the same as " + in_quotes(routes_[route].pattern, 200));
  routes_[route].value = value;
  return {};
}

std::string_view UrlRouter::normal_host(std::string_view host) {
  constexpr size_t longest = 255;  // RFC 1035 section 2.3.4
  if (host.starts_with('[')) {
    const size_t bracket = host.find(']');
    if (bracket == std::string_view::npos) return {};
    host = host.substr(0, bracket + 1);
  } else if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    host = host.substr(0, colon);
  }
  while (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > longest) {
    // No exact host is so long, and looking for each of its ends would cost its square; but it is below some.
    host.remove_prefix(host.size() - longest);
    host.remove_prefix(std::min(host.find('.'), host.size()));
  }

  const bool has_capitals =
      std::any_of(host.begin(), host.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!has_capitals) return host;
  host_scratch_.assign(host);
  for (char& c : host_scratch_) c = to_lower(c);
  return host_scratch_;
}

bool UrlRouter::understand(std::optional<std::string_view> host, std::string_view target, Request& request) {
  std::string_view authority = host.value_or(std::string_view());
  if (target == "*") return false;
  target = path_of_target(target);
  if (!target.empty() && target.front() != '/') {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return false;
    target.remove_prefix(scheme + 3);
    const size_t slash = std::min(target.find('/'), target.size());
    authority = target.substr(0, slash);
    target.remove_prefix(slash);
    if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  }
  request.path = target;
  if (!is_normal_path(target)) {
    if (!normalize_path(target, path_scratch_)) return false;
    request.path = path_scratch_;
  }
  if (!exact_hosts_.empty() || !wildcard_hosts_.empty()) request.host = normal_host(authority);
  return true;
}

UrlRouter::Match UrlRouter::matched(uint32_t route, std::string_view rest) const {
  return Match{routes_[route].value, rest, routes_[route].pattern};
}

std::optional<UrlRouter::Match> UrlRouter::find_in(uint32_t root, const Request& request) const {
  uint32_t longest = nodes_[root].wildcard;
  std::string_view rest = request.path;

  uint32_t node = root;
  std::string_view left = request.path;
  while (!left.empty()) {
    node = child(node, take_segment(left));
    if (node == none) break;
    if (nodes_[node].wildcard != none) {
      longest = nodes_[node].wildcard;
      rest = left;
    }
  }
  if (node != none && nodes_[node].exact != none) return matched(nodes_[node].exact, {});
  if (longest == none) return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  return matched(longest, rest);
}

std::optional<UrlRouter::Match> UrlRouter::find(std::optional<std::string_view> host,
                                                std::string_view target) {
  Request request;
  if (!understand(host, target, request)) return std::nullopt;

  if (!request.host.empty()) {
    if (!exact_hosts_.empty())
      if (const auto known = exact_hosts_.find(request.host); known != exact_hosts_.end())
        if (const auto match = find_in(known->second, request)) return match;

    if (!wildcard_hosts_.empty() && request.host.front() != '[') {
      for (size_t dot = request.host.find('.'); dot != std::string_view::npos;
           dot = request.host.find('.', dot + 1))
        if (const auto known = wildcard_hosts_.find(request.host.substr(dot + 1));
            known != wildcard_hosts_.end())
          if (const auto match = find_in(known->second, request)) return match;
    }
  }
  return any_host_ == none ? std::nullopt : find_in(any_host_, request);
}

}  // namespace perilune::algo
