// A message (RFC 1035 section 4.1), all numbers big-endian:
//
//   id 2 | flags 2 | questions 2 | answers 2 | authority 2 | additional 2
//   each question:  name | type 2 | class 2
//   each answer:    name | type 2 | class 2 | ttl 4 | size 2 | data
//   data of SRV (RFC 2782):  priority 2 | weight 2 | port 2 | target name
//
// Names are chains of labels that may go on elsewhere in the message; c-ares unfolds them.

#include "net/srv_reply.hpp"

#include <ares.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/text.hpp"

namespace perilune::net {

namespace {

constexpr uint16_t type_srv = 33;
constexpr uint16_t class_internet = 1;
constexpr uint32_t ttl_seconds_max = 0x7fffffff;

Error malformed() { return {ErrorCode::ResolveFailure, Side::Upstream, "the answer is malformed"}; }

/// Takes a message apart from front to back; once something is missing, `is_good` is false and all is 0.
class Reader {
 public:
  explicit Reader(std::span<const unsigned char> message) : message_(message) {}

  bool is_good() const { return is_good_; }
  size_t position() const { return position_; }
  uint16_t number16() { return static_cast<uint16_t>(number(2)); }
  uint32_t number32() { return number(4); }
  void skip(size_t bytes) {
    is_good_ = is_good_ && bytes <= message_.size() - position_;
    if (is_good_) position_ += bytes;
  }
  std::string name() {
    char* text = nullptr;
    long size = 0;
    if (!is_good_ || position_ == message_.size() ||
        ares_expand_name(message_.data() + position_, message_.data(), static_cast<int>(message_.size()),
                         &text, &size) != ARES_SUCCESS) {
      is_good_ = false;
      return {};
    }
    const std::unique_ptr<char, void (*)(void*)> owned(text, ares_free_string);
    skip(static_cast<size_t>(size));
    return to_lower(std::string_view(text));
  }

 private:
  uint32_t number(size_t bytes) {
    const size_t begin = position_;
    skip(bytes);
    if (!is_good_) return 0;
    uint32_t value = 0;
    for (size_t at = begin; at < position_; ++at) value = value << 8 | message_[at];
    return value;
  }

  std::span<const unsigned char> message_;
  size_t position_ = 0;
  bool is_good_ = true;
};

SrvRecord read_data(Reader& reader) {
  SrvRecord record;
  record.priority = reader.number16();
  record.weight = reader.number16();
  record.port = reader.number16();
  record.host = reader.name();
  return record;
}

}  // namespace

Result<SrvReply> parse_srv_reply(std::span<const unsigned char> message) {
  Reader reader(message);
  reader.skip(4);
  const uint16_t questions = reader.number16();
  const uint16_t answers = reader.number16();
  reader.skip(4);
  for (int i = 0; i < questions && reader.is_good(); ++i) {
    reader.name();
    reader.skip(4);
  }

  SrvReply reply;
  std::optional<uint32_t> least_ttl;
  for (int i = 0; i < answers; ++i) {
    reader.name();
    const uint16_t type = reader.number16();
    const uint16_t record_class = reader.number16();
    uint32_t ttl = reader.number32();
    const uint16_t size = reader.number16();
    Reader data = reader;
    reader.skip(size);
    if (!reader.is_good()) return malformed();
    if (ttl > ttl_seconds_max) ttl = 0;  // RFC 2181 section 8
    least_ttl = std::min(ttl, least_ttl.value_or(ttl));
    if (type != type_srv || record_class != class_internet) continue;
    SrvRecord record = read_data(data);
    if (!data.is_good() || data.position() != reader.position()) return malformed();
    reply.records.push_back(std::move(record));
  }
  if (!reader.is_good()) return malformed();
  if (!reply.records.empty()) reply.ttl = std::chrono::seconds(*least_ttl);
  std::ranges::sort(reply.records);
  reply.records.erase(std::unique(reply.records.begin(), reply.records.end()), reply.records.end());
  return reply;
}

}  // namespace perilune::net
