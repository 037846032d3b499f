#pragma once

#include <span>
#include <string>
#include <vector>

#include "http/h1_parser.hpp"
#include "http/transcript.hpp"

/// Whole messages, as the parser gives them.
namespace perilune::fuzz {

struct Message {
  Ref<message::Head> head;
  std::string body;
  Ref<message::Trailers> trailers;

  message::RequestHead& request() const { return static_cast<message::RequestHead&>(*head); }
  message::ResponseHead& response() const { return static_cast<message::ResponseHead&>(*head); }
  bool opens_tunnel() const {
    if (!head->is_request()) return head->body.kind == message::BodyKind::Tunnel;
    return !head->upgrade.empty() || request().method == "CONNECT";
  }
};

struct Messages {
  std::vector<Message>
      complete;           // up to the first that is wrong, cut off, or may open a tunnel, which is the last
  bool is_clean = false;  // nothing stands behind them
};

/// What `text` says, given as one slice. Responses answer `asked`, one after the other; interim ones are left
/// out.
inline Messages read_messages(http::Kind kind, std::string_view text, std::span<const http::Asked> asked,
                              const http::ParserLimits& limits = http::default_parser_limits) {
  using ItemKind = http::Item::Kind;
  Messages messages;
  buffer::ChunkPool pool(text.size(), 0);
  http::H1Parser parser(kind, limits);
  if (!text.empty()) parser.feed(http::own_slice(text, pool));
  Message current;
  bool is_expected = kind == http::Kind::Request;
  for (;;) {
    if (!is_expected && parser.at_boundary()) {
      if (asked.empty()) break;
      parser.expect_response_to(asked.front().method, asked.front().offer);
      asked = asked.subspan(1);
      is_expected = true;
    }
    http::Item item = parser.next();
    if (item.kind == ItemKind::NeedMore) {
      if (parser.at_boundary()) break;
      item = parser.finish();
    }
    if (item.kind == ItemKind::NeedMore || item.kind == ItemKind::Failed) return messages;
    if (item.kind == ItemKind::Body) current.body += item.body.view();
    if (item.kind == ItemKind::Head) {
      current = {std::move(item.head), {}, {}};
      if (kind == http::Kind::Response && current.response().is_interim()) continue;
      is_expected = kind == http::Kind::Request;
      if (parser.is_tunnel()) item.ends = true;
    }
    if (item.kind != ItemKind::End && !item.ends) continue;
    current.trailers = std::move(item.trailers);
    messages.complete.push_back(std::move(current));
    if (messages.complete.back().opens_tunnel()) break;
  }
  messages.is_clean = parser.buffered() == 0;
  return messages;
}

}  // namespace perilune::fuzz
