#pragma once

#include <string_view>

#include "http/field_lines.hpp"
#include "message/head.hpp"

namespace perilune::http {

/// A head section that was parsed here.
struct ParsedSection {
  std::string_view block;       // all of it
  std::string_view start_line;  // with its CRLF
  const FramingLines& framing;
};

/// Shows a head that was parsed and framed here to llhttp: its start line and the fields that say how long
/// its body is and what becomes of the connection. The other fields were checked byte by byte, and have names
/// that mean nothing to llhttp, so all it could do with them is spend most of its time. Null when it agrees
/// on version, status and framing; else what it objects to. `head` has its framing set and no field removed
/// yet. llhttp decides nothing: a head on which two parsers disagree is one that the next server may misread.
const char* objection(const ParsedSection& section, const message::RequestHead& head);
const char* objection(const ParsedSection& section, const message::ResponseHead& head);

}  // namespace perilune::http
