#pragma once

#include <string_view>

#include "message/head.hpp"

namespace perilune::http {

/// Shows a head that was parsed and framed here to llhttp. Null when it agrees on version, status, number of
/// fields and framing; else what it objects to. `block` is the whole head section, `head` what was made of it,
/// with its framing set and no field removed yet. llhttp decides nothing: a head on which two parsers disagree
/// is one that the next server may misread.
const char* objection(std::string_view block, const message::RequestHead& head);
const char* objection(std::string_view block, const message::ResponseHead& head);

}  // namespace perilune::http
