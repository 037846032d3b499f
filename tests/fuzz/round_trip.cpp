#include "fuzz.hpp"
#include "h1_messages.hpp"
#include "http/framing.hpp"
#include "http/h1_writer.hpp"
#include "plain_reader.hpp"

namespace perilune::fuzz {
namespace {

using buffer::Buffer;
using buffer::ChunkPool;
using message::BodyFraming;
using message::BodyKind;

/// What a message says. The length of its body is in the body; a field of it may be spelled in another way.
std::string text_of(const Message& message, bool with_trailers) {
  std::string text;
  if (message.head->is_request()) {
    text = message.request().method + " " + message.request().path + "\n";
  } else {
    const auto& head = message.response();
    text = std::to_string(head.status) + " " +
           (head.reason.empty() ? std::string(message::reason_phrase(head.status)) : head.reason) + "\n";
  }
  const auto append = [&](std::string_view name, std::string_view value, message::Name id) {
    if (id != message::Name::ContentLength && id != message::Name::Trailer)
      text.append(name).append(": ").append(value).append("\n");
  };
  message.head->headers.each(append);
  text += "\n" + message.body + "\n";
  if (with_trailers && message.trailers) message.trailers->headers.each(append);
  return text;
}

/// The body by its framing, in chunks of any sizes.
void write_body(const Message& message, BodyKind kind, Cuts cuts, Buffer& out, ChunkPool& pool) {
  if (kind != BodyKind::Chunked) {
    out.write(message.body, pool);
    return;
  }
  for (std::string_view rest = message.body; !rest.empty();) {
    const std::string_view piece = rest.substr(0, cuts.next());
    http::write_chunk(buffer::buffer_of(piece, pool), out, pool);
    rest.remove_prefix(piece.size());
  }
  http::write_last_chunk(message.trailers.get(), out, pool);
}

void require_same(const Message& message, const Messages& again, const std::string& text,
                  bool with_trailers) {
  const std::string said = text_of(message, with_trailers);
  require(again.is_clean && again.complete.size() == 1, "one message is written as one", said, text);
  const std::string says = text_of(again.complete[0], with_trailers);
  require(says == said, "and it says the same", said, says);
}

/// A plain reader, too, finds one message, this body, and nothing behind it.
void read_plainly(const Message& message, const std::string& text, bool has_body) {
  PlainReader reader(text);
  const auto plain = reader.next(has_body, true);
  require(plain && reader.rest().empty(), "to a plain reader it is one message", text);
  require(plain->body == message.body, "with the same body", plain->body, message.body);
  for (const auto& [name, value] : plain->fields)
    for (const auto& [other, its_value] : plain->fields)
      require(name != "content-length" || other != "transfer-encoding", "one length is said", text);
}

void forward_request(Message& message, uint32_t seed) {
  message::RequestHead& head = message.request();
  // A request of HTTP/1.0 may lack it, and is sent with an empty one, which a strict reader of HTTP/1.1
  // refuses.
  if (!head.headers.has(message::Name::Host)) head.headers.add("Host", "a");
  const BodyFraming framing = http::outgoing_request_framing(head);
  const auto persistence = seed % 2 ? http::Persistence::KeepAlive : http::Persistence::Close;
  ChunkPool pool;
  std::string text;
  {
    Buffer out;
    http::write_request_head(head, {framing, persistence}, out, pool);
    write_body(message, framing.kind, Cuts(seed), out, pool);
    text = out.to_string();
  }
  const Messages again = read_messages(http::Kind::Request, text, {});
  require_same(message, again, text, true);
  const message::RequestHead& read = again.complete[0].request();
  require(read.keep_alive == (persistence == http::Persistence::KeepAlive),
          "it says what the connection is for", text);
  require(read.upgrade == head.upgrade, "it offers the same", text, head.upgrade);
  require(read.expects_continue == (head.expects_continue && framing.kind == head.body.kind),
          "it expects the same", text);
  read_plainly(message, text, head.method != "CONNECT");
}

void forward_response(Message& message, const http::Asked& asked, uint32_t seed) {
  const message::ResponseHead& head = message.response();
  const auto client = seed % 4 < 2 ? message::Version::Http11 : message::Version::Http10;
  const auto persistence = seed % 2 ? http::Persistence::KeepAlive : http::Persistence::Close;
  const BodyFraming framing = http::outgoing_response_framing(head, client, asked.method);
  ChunkPool pool;
  std::string text;
  {
    Buffer out;
    http::write_response_head(head, {framing, client, persistence}, out, pool);
    write_body(message, framing.kind, Cuts(seed), out, pool);
    text = out.to_string();
  }
  const Messages again = read_messages(http::Kind::Response, text, std::span(&asked, 1));
  require_same(message, again, text, framing.kind == BodyKind::Chunked);
  const message::ResponseHead& read = again.complete[0].response();
  require(read.upgrade == head.upgrade, "it names the same protocol", text, head.upgrade);
  const bool has_body = framing.kind != BodyKind::None && framing.kind != BodyKind::Tunnel;
  if (has_body)
    require(read.keep_alive ==
                (persistence == http::Persistence::KeepAlive && framing.kind != BodyKind::UntilClose),
            "it says what the connection is for", text);
  read_plainly(message, text, has_body);
}

}  // namespace
}  // namespace perilune::fuzz

/// A seed, a byte that chooses (0: requests; else responses to GET, HEAD, CONNECT or a WebSocket's request),
/// then what a client or an upstream sends. Each message that was understood, written to the other side, is
/// understood there as the same message, and as one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  constexpr http::Asked kinds[] = {{"GET"}, {"HEAD"}, {"CONNECT"}, {"GET", http::UpgradeOffer::WebSocket}};
  fuzz::Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  const uint8_t choice = decisions.byte();
  if (choice == 0) {
    auto messages = fuzz::read_messages(http::Kind::Request, decisions.rest(), {});
    for (auto& message : messages.complete) fuzz::forward_request(message, seed);
    return 0;
  }
  const http::Asked& asked = kinds[choice % 4];
  const http::Asked four[] = {asked, asked, asked, asked};
  auto messages = fuzz::read_messages(http::Kind::Response, decisions.rest(), four);
  for (auto& message : messages.complete) fuzz::forward_response(message, asked, seed);
  return 0;
}
