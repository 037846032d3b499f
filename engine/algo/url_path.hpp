#pragma once

#include <string>
#include <string_view>

namespace perilune::algo {

/// Writes the normal form of `path` to `out` (which is replaced) and says whether there is one. Two paths
/// that name the same thing to most servers have the same normal form, which is why routes that carry
/// authorisation are matched on it. In this order:
///   - percent-encoded unreserved characters (letters, digits, "-._~") are decoded, the hex digits of every
///   other
///     triplet become upper case (RFC 3986 sections 6.2.2.1 and 6.2.2.2). %2F is not a slash: it stays
///     encoded. A "%" without two hex digits behind it stands for itself: it becomes "%25", for a path that
///     some server may read must not be one that no route matches;
///   - runs of slashes become one slash;
///   - "." and ".." segments are removed, never above the root (RFC 3986 section 5.2.4).
/// Case is kept, and so is a slash at the end. An empty path is "/".
/// No normal form (false, `out` unspecified): the path does not begin with "/". `path` carries no query; see
/// `path_of_target`.
bool normalize_path(std::string_view path, std::string& out);

/// A "%" in it has no two hex digits behind it.
bool has_broken_encoding(std::string_view path);

/// True when normalize_path would only copy: then the view can be used as it is.
bool is_normal_path(std::string_view path);

/// What stands in front of the query. A raw "#" cannot be sent in a request target, but lenient servers take
/// it for the start of a fragment: it ends the path too.
std::string_view path_of_target(std::string_view target);

}  // namespace perilune::algo
