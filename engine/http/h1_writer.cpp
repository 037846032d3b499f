#include "http/h1_writer.hpp"

#include <charconv>
#include <cstring>
#include <string>

#include "base/expect.hpp"
#include "http/framing.hpp"
#include "http/hop_by_hop.hpp"

namespace perilune::http {

using buffer::Buffer;
using buffer::ChunkPool;
using message::BodyFraming;
using message::BodyKind;
using message::Head;
using message::Name;
using message::Version;

namespace {

// Start line without its variable parts, and the fields that are added: Connection, Upgrade, Date, Host, and
// Content-Length or Transfer-Encoding.
constexpr size_t added_bytes_max = 256;
constexpr size_t decimal_digits_max = 20;

/// Appends to a block that is large enough.
class Pen {
 public:
  explicit Pen(char* at) : at_(at) {}
  char* at() const { return at_; }

  void put(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put_number(uint64_t number) { at_ = std::to_chars(at_, at_ + decimal_digits_max, number).ptr; }
  void put_field(std::string_view name, std::string_view value) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }

 private:
  char* at_;
};

enum class Lengths : uint8_t { Keep, State, Drop };

Lengths lengths_of_request(const BodyFraming& body) {
  return body.kind == BodyKind::Length ? Lengths::State : Lengths::Drop;
}

Lengths lengths_of_response(const BodyFraming& body, int status) {
  if (body.kind == BodyKind::Length) return Lengths::State;
  // What a GET would have had: RFC 9110 sections 8.6 and 15.4.5.
  return body.kind == BodyKind::None && (status == 304 || !is_bodiless(status)) ? Lengths::Keep
                                                                                : Lengths::Drop;
}

/// Set by the connection, and never copied from a head: whoever put them there did not know this hop.
bool is_hop_by_hop(Name id) {
  switch (id) {
    case Name::Connection:
    case Name::KeepAlive:
    case Name::ProxyConnection:
    case Name::TransferEncoding:
    case Name::Te:
    case Name::Upgrade:
    case Name::Http2Settings: return true;
    default: return false;
  }
}

void put_fields(Pen& pen, const Head& head, const BodyFraming& body, Lengths lengths) {
  bool has_length = false;
  head.headers.each([&](std::string_view name, std::string_view value, Name id) {
    if (id == Name::Other) {
      pen.put_field(name, value);
    } else if (id == Name::ContentLength) {
      if (lengths == Lengths::Drop || has_length) return;
      has_length = true;
      pen.put(name);
      pen.put(": ");
      if (lengths == Lengths::State) pen.put_number(body.length);
      else pen.put(value);
      pen.put("\r\n");
    } else if (!is_hop_by_hop(id)) {
      pen.put_field(name, value);
    }
  });
  if (lengths == Lengths::State && !has_length) {
    pen.put("Content-Length: ");
    pen.put_number(body.length);
    pen.put("\r\n");
  }
  if (body.kind == BodyKind::Chunked) pen.put("Transfer-Encoding: chunked\r\n");
}

void put_connection(Pen& pen, std::string_view option, std::string_view upgrade) {
  if (!upgrade.empty()) {
    pen.put("Connection: upgrade");
    if (!option.empty()) {
      pen.put(", ");
      pen.put(option);
    }
    pen.put("\r\n");
    pen.put_field("Upgrade", upgrade);
  } else if (!option.empty()) {
    pen.put_field("Connection", option);
  }
}

/// Writes `put(pen)`, at most `bytes_max` bytes: straight into the buffer, or, larger than a chunk, by a
/// copy.
template <typename Put>
void write_block(size_t bytes_max, Buffer& out, ChunkPool& pool, Put&& put) {
  if (bytes_max <= pool.chunk_bytes()) {
    out.write_in_place(bytes_max, pool, [&](char* begin) {
      Pen pen(begin);
      put(pen);
      return pen.at();
    });
    return;
  }
  std::string block(bytes_max, '\0');
  Pen pen(block.data());
  put(pen);
  out.write({block.data(), static_cast<size_t>(pen.at() - block.data())}, pool);
}

size_t field_bytes_max(const message::Headers& headers) { return headers.text_bytes() + headers.size() * 4; }

}  // namespace

void write_request_head(const message::RequestHead& head, const RequestForm& form, Buffer& out,
                        ChunkPool& pool) {
  const BodyKind kind = form.body.kind;
  PERILUNE_EXPECT(kind == BodyKind::None || kind == BodyKind::Length || kind == BodyKind::Chunked,
                  "a request's body has a length or is chunked");
  const size_t bytes_max = head.method.size() + head.path.size() + head.upgrade.size() +
                           field_bytes_max(head.headers) + decimal_digits_max + added_bytes_max;
  write_block(bytes_max, out, pool, [&](Pen& pen) {
    pen.put(head.method);
    pen.put(" ");
    pen.put(head.path.empty() ? std::string_view("/") : std::string_view(head.path));
    pen.put(" HTTP/1.1\r\n");
    if (!head.headers.has(Name::Host)) pen.put("Host: \r\n");
    put_fields(pen, head, form.body, lengths_of_request(form.body));
    put_connection(pen, form.connection == Persistence::Close ? "close" : "", head.upgrade);
    pen.put("\r\n");
  });
}

void write_response_head(const message::ResponseHead& head, const ResponseForm& form, Buffer& out,
                         ChunkPool& pool) {
  PERILUNE_EXPECT(form.body.kind != BodyKind::Unknown, "the framing of a response is decided");
  const bool is_informational = head.status < 200;
  const bool closes = form.connection == Persistence::Close || form.body.kind == BodyKind::UntilClose;
  std::string_view option;
  if (!is_informational && form.body.kind != BodyKind::Tunnel) {
    if (closes) option = "close";
    else if (form.client == Version::Http10) option = "keep-alive";
  }
  const std::string_view upgrade =
      head.status == 101 || head.status == 426 ? head.upgrade : std::string_view();
  const std::string_view reason = head.reason.empty() ? message::reason_phrase(head.status) : head.reason;

  const size_t bytes_max = reason.size() + upgrade.size() + form.date.size() + field_bytes_max(head.headers) +
                           decimal_digits_max + added_bytes_max;
  write_block(bytes_max, out, pool, [&](Pen& pen) {
    pen.put("HTTP/1.1 ");
    pen.put_number(static_cast<uint64_t>(head.status));
    pen.put(" ");
    pen.put(reason);
    pen.put("\r\n");
    put_fields(pen, head, form.body, lengths_of_response(form.body, head.status));
    // RFC 9110 section 6.6.1: whoever forwards an answer without a Date dates it.
    if (!is_informational && !form.date.empty() && !head.headers.has(Name::Date))
      pen.put_field("Date", form.date);
    put_connection(pen, option, upgrade);
    pen.put("\r\n");
  });
}

namespace {

void write_chunk_size(uint64_t size, Buffer& out, ChunkPool& pool) {
  char line[18];
  char* end = std::to_chars(line, line + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.write({line, static_cast<size_t>(end - line)}, pool);
}

}  // namespace

void write_chunk(buffer::Slice data, Buffer& out, ChunkPool& pool) {
  if (data.empty()) return;
  write_chunk_size(data.size(), out, pool);
  out.append(std::move(data));
  out.write("\r\n", pool);
}

void write_chunk(Buffer&& data, Buffer& out, ChunkPool& pool) {
  if (data.empty()) return;
  write_chunk_size(data.size(), out, pool);
  out.append(std::move(data));
  out.write("\r\n", pool);
}

void write_last_chunk(const message::Trailers* trailers, Buffer& out, ChunkPool& pool) {
  const bool has_trailers = trailers && !trailers->headers.empty();
  const size_t bytes_max = 5 + (has_trailers ? field_bytes_max(trailers->headers) : 0);
  write_block(bytes_max, out, pool, [&](Pen& pen) {
    pen.put("0\r\n");
    if (has_trailers)
      trailers->headers.each([&](std::string_view name, std::string_view value, Name) {
        if (!is_forbidden_trailer(name)) pen.put_field(name, value);
      });
    pen.put("\r\n");
  });
}

}  // namespace perilune::http
