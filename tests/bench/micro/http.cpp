#include "base/expect.hpp"
#include "http/date.hpp"
#include "http/framing.hpp"
#include "http/h1_parser.hpp"
#include "http/h1_writer.hpp"
#include "measure.hpp"
#include "samples.hpp"

namespace perilune::bench {
namespace {

using http::H1Parser;
using http::Item;
using http::Kind;

/// Parses `bytes`, one message, and gives what it has of head and body. The bytes come in slices of a chunk's
/// size, as sockets read them.
class Reading {
 public:
  Reading(Kind kind, std::string_view bytes)
      : parser_(kind), kind_(kind), bytes_(buffer::buffer_of(bytes, pool_)) {}

  void read() {
    if (kind_ == Kind::Response) parser_.expect_response_to("GET");
    body_bytes_ = 0;
    for (const buffer::Slice& slice : bytes_.slices()) {
      parser_.feed(slice);
      while (take(parser_.next())) continue;
    }
    PERILUNE_EXPECT(parser_.at_boundary() && head_, "the message is complete");
  }
  const message::Head& head() const { return *head_; }
  size_t body_bytes() const { return body_bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  bool take(Item&& item) {
    if (item.kind == Item::Kind::NeedMore) return false;
    PERILUNE_EXPECT(item.kind != Item::Kind::Failed, "the message is valid");
    if (item.head) head_ = std::move(item.head);
    body_bytes_ += item.body.size();
    return !item.ends && item.kind != Item::Kind::End;
  }

  buffer::ChunkPool pool_;
  H1Parser parser_;
  const Kind kind_;
  const buffer::Buffer bytes_;
  Ref<message::Head> head_;
  size_t body_bytes_ = 0;
};

void h1_parse(benchmark::State& state, Kind kind, std::string_view bytes) {
  Reading reading(kind, bytes);
  measure(state, [&] {
    reading.read();
    benchmark::DoNotOptimize(reading.head());
  });
  show_bytes(state, reading.size());
}
BENCHMARK_CAPTURE(h1_parse, small_request, Kind::Request, small_request);
BENCHMARK_CAPTURE(h1_parse, browser_request, Kind::Request, browser_request);
BENCHMARK_CAPTURE(h1_parse, response, Kind::Response, response);

void h1_parse_chunked(benchmark::State& state) {
  constexpr size_t chunks = 16, chunk_bytes = 4096;
  std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t i = 0; i < chunks; ++i) bytes += "1000\r\n" + std::string(chunk_bytes, 'x') + "\r\n";
  bytes += "0\r\n\r\n";
  Reading reading(Kind::Response, bytes);
  measure(state, [&] {
    reading.read();
    PERILUNE_EXPECT(reading.body_bytes() == chunks * chunk_bytes, "the whole body was read");
  });
  show_bytes(state, chunks * chunk_bytes);
}
BENCHMARK(h1_parse_chunked);

template <typename Write>
void measure_writing(benchmark::State& state, Write&& write) {
  buffer::ChunkPool pool;
  buffer::Buffer out;
  size_t bytes = 0;
  measure(state, [&] {
    write(out, pool);
    bytes = out.size();
    out.clear();
  });
  PERILUNE_EXPECT(bytes > 0, "something was written");
  show_bytes(state, bytes);
}

void h1_write_request_head(benchmark::State& state, std::string_view bytes) {
  Reading reading(Kind::Request, bytes);
  reading.read();
  const auto& head = static_cast<const message::RequestHead&>(reading.head());
  measure_writing(state, [&](buffer::Buffer& out, buffer::ChunkPool& pool) {
    http::write_request_head(head, {http::outgoing_request_framing(head)}, out, pool);
  });
}
BENCHMARK_CAPTURE(h1_write_request_head, small, small_request);
BENCHMARK_CAPTURE(h1_write_request_head, browser, browser_request);

void h1_write_response_head(benchmark::State& state) {
  Reading reading(Kind::Response, response);
  reading.read();
  const auto& head = static_cast<const message::ResponseHead&>(reading.head());
  measure_writing(state, [&](buffer::Buffer& out, buffer::ChunkPool& pool) {
    http::write_response_head(head, {http::outgoing_response_framing(head, message::Version::Http11, "GET")},
                              out, pool);
  });
}
BENCHMARK(h1_write_response_head);

}  // namespace
}  // namespace perilune::bench
