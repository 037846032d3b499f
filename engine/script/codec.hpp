#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace perilune::script {

/// Base64 (RFC 4648 section 4) with padding, and its URL alphabet (section 5) without.
std::string base64_encode(std::string_view bytes);
std::string base64_url_encode(std::string_view bytes);
/// Both alphabets, with or without padding; no white space. Errors (Side::Script) name the position.
Result<std::string> base64_decode(std::string_view text);

/// Lower case; decode takes both cases.
std::string hex_encode(std::string_view bytes);
Result<std::string> hex_decode(std::string_view text);

}  // namespace perilune::script
