#include "algo/url_path.hpp"

namespace perilune::algo {
namespace {

constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

constexpr bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/// The byte that the triplet at the start of `text` stands for, -1 when it begins with none.
constexpr int triplet(std::string_view text) {
  if (text.size() < 3 || text[0] != '%' || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0) return -1;
  return hex_digit(text[1]) * 16 + hex_digit(text[2]);
}

/// Appends `path` with its percent-encoding in normal form.
void decode_unreserved(std::string_view path, std::string& out) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    const int byte = triplet(path.substr(i));
    if (byte < 0) {
      out.append("%25");
      continue;
    }
    if (const char c = static_cast<char>(byte); is_unreserved(c)) out.push_back(c);
    else out.append({'%', digits[static_cast<size_t>(byte >> 4)], digits[static_cast<size_t>(byte & 15)]});
    i += 2;
  }
}

/// Removes empty and dot segments in place. The result is never longer than what was read, so one string
/// serves for both.
void remove_segments(std::string& path) {
  size_t written = 0;
  size_t at = 0;
  while (at < path.size()) {  // path[at] is a slash
    size_t end = path.find('/', at + 1);
    if (end == std::string::npos) end = path.size();
    const std::string_view segment(path.data() + at + 1, end - at - 1);
    const bool is_last = end == path.size();

    if (segment.empty() || segment == ".") {
      if (is_last) path[written++] = '/';
    } else if (segment == "..") {
      while (written > 0 && path[written - 1] != '/') --written;
      if (written > 0) --written;
      if (is_last) path[written++] = '/';
    } else {
      // The slash is written too; the move is to the left or onto itself.
      const size_t length = end - at;
      for (size_t i = 0; i < length; ++i) path[written + i] = path[at + i];
      written += length;
    }
    at = end;
  }
  path.resize(written);
}

}  // namespace

bool is_normal_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  char previous = 'x';
  for (const char c : path) {
    // A dot behind a slash may begin an innocent ".well-known"; the slow way sorts that out.
    if (c == '%' || (previous == '/' && (c == '/' || c == '.'))) return false;
    previous = c;
  }
  return true;
}

bool normalize_path(std::string_view path, std::string& out) {
  out.clear();
  if (path.empty()) {
    out.push_back('/');
    return true;
  }
  if (path.front() != '/') return false;
  decode_unreserved(path, out);
  remove_segments(out);
  return true;
}

bool has_broken_encoding(std::string_view path) {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1))
    if (triplet(path.substr(at)) < 0) return true;
  return false;
}

std::string_view path_of_target(std::string_view target) {
  return target.substr(0, target.find_first_of("?#"));
}

}  // namespace perilune::algo
