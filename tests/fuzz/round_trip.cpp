#include <vector>

#include "base/limits.hpp"
#include "fuzz.hpp"
#include "http/framing.hpp"
#include "http/h1_parser.hpp"
#include "http/h1_writer.hpp"

namespace perilune::fuzz {
namespace {

struct Request {
  Ref<message::RequestHead> head;
  std::string body;
};

/// The requests that are complete, up to the first that is wrong or opens a tunnel.
std::vector<Request> read(std::string_view text, buffer::ChunkPool& pool, bool& is_clean) {
  std::vector<Request> requests;
  http::H1Parser parser(http::Kind::Request);
  parser.feed(buffer::buffer_of(text, pool));
  Request current;
  is_clean = false;
  for (;;) {
    http::Item item = parser.next();
    using Kind = http::Item::Kind;
    if (item.kind == Kind::Failed) return requests;
    if (item.kind == Kind::NeedMore) break;
    if (item.kind == Kind::Head)
      current = {Ref<message::RequestHead>(static_cast<message::RequestHead*>(item.head.get())), {}};
    if (item.kind == Kind::Body) current.body += item.body.view();
    if (item.kind != Kind::End && !item.ends) continue;
    // A request of HTTP/1.0 may lack it, and is sent with an empty one, which a strict reader of HTTP/1.1 refuses.
    if (!current.head->headers.has(message::Name::Host)) current.head->headers.add("Host", "a");
    if (!current.head->upgrade.empty() || current.head->method == "CONNECT") return requests;
    requests.push_back(std::move(current));
  }
  is_clean = parser.at_boundary() && parser.buffered() == 0;
  return requests;
}

std::string text_of(const Request& request) {
  std::string text = request.head->method + " " + request.head->path + "\n";
  request.head->headers.each([&](std::string_view name, std::string_view value, message::Name id) {
    if (id != message::Name::ContentLength && id != message::Name::Host && id != message::Name::Trailer)
      text.append(name).append(": ").append(value).append("\n");
  });
  return text + "\n" + request.body;
}

std::string written(const Request& request, buffer::ChunkPool& pool) {
  buffer::Buffer out;
  const message::BodyFraming framing = http::outgoing_request_framing(*request.head);
  http::write_request_head(*request.head, {framing}, out, pool);
  if (framing.kind == message::BodyKind::Chunked) {
    http::write_chunk(buffer::buffer_of(request.body, pool), out, pool);
    http::write_last_chunk(nullptr, out, pool);
  } else {
    out.write(request.body, pool);
  }
  return out.to_string();
}

}  // namespace
}  // namespace perilune::fuzz

/// What a client sends: each request that was understood, written as an upstream gets it, is understood as the same
/// request, and as one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  buffer::ChunkPool pool;
  bool is_clean = false;
  for (const auto& request : fuzz::read({reinterpret_cast<const char*>(data), size}, pool, is_clean)) {
    const std::string text = fuzz::written(request, pool);
    const auto again = fuzz::read(text, pool, is_clean);
    fuzz::require(is_clean && again.size() == 1, "one request is written as one", fuzz::text_of(request), text);
    fuzz::require(fuzz::text_of(again[0]) == fuzz::text_of(request), "and it says the same", fuzz::text_of(request),
                  fuzz::text_of(again[0]));
  }
  return 0;
}
