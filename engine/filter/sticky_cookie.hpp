#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "message/headers.hpp"
#include "upstream/cluster_options.hpp"

namespace perilune::filter {

/// The endpoint that a request's cookie names, by its identity; none without the cookie or with another
/// value.
std::optional<uint64_t> sticky_endpoint(const message::Headers& request, std::string_view cookie);

/// The value of Set-Cookie that names an endpoint (RFC 6265 section 4.1): readable by no script of the page.
std::string sticky_cookie(const upstream::StickyOptions& options, uint64_t identity);

}  // namespace perilune::filter
