#pragma once

#include <string_view>

#include "message/head.hpp"

namespace perilune::http {

/// What llhttp objects to in a head that was parsed and framed here; null when it agrees on version, status,
/// framing and the number of fields. `section` is all of the head, with its empty line; `head` has its
/// framing set and no field removed yet. llhttp decides nothing: a head on which two parsers disagree is one
/// that the next server may misread.
const char* objection(std::string_view section, const message::RequestHead& head);
const char* objection(std::string_view section, const message::ResponseHead& head);

/// Nothing in the head could be framed in another way, so that llhttp need not be asked: no field but at most
/// one Content-Length and Connection concerns framing, and neither method nor status changes its rules. Start
/// line, names and values of such a head were checked byte by byte. `head` as for objection.
bool is_beyond_doubt(const message::RequestHead& head);
bool is_beyond_doubt(const message::ResponseHead& head);

}  // namespace perilune::http
