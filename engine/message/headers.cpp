#include "message/headers.hpp"

#include <array>

#include "base/text_words.hpp"

namespace perilune::message {
namespace {

constexpr std::array<std::string_view, 20> known_names{"",
                                                       "host",
                                                       "connection",
                                                       "content-length",
                                                       "transfer-encoding",
                                                       "keep-alive",
                                                       "proxy-connection",
                                                       "proxy-authenticate",
                                                       "proxy-authorization",
                                                       "te",
                                                       "trailer",
                                                       "upgrade",
                                                       "expect",
                                                       "date",
                                                       "content-encoding",
                                                       "etag",
                                                       "cookie",
                                                       "set-cookie",
                                                       "content-type",
                                                       "http2-settings"};

// token characters, RFC 9110 section 5.6.2
constexpr std::array<bool, 256> token_table = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = true;
  return table;
}();

}  // namespace

Name name_of(std::string_view name) {
  const auto is = [&](const auto& lower, Name candidate) {
    return equals_lower(name, lower) ? candidate : Name::Other;
  };
  // The length and the first letter leave at most one candidate.
  const char c = name.empty() ? '\0' : to_lower(name.front());
  switch (name.size()) {
    case 2: return is("te", Name::Te);
    case 4:
      return c == 'h' ? is("host", Name::Host) : c == 'd' ? is("date", Name::Date) : is("etag", Name::ETag);
    case 6: return c == 'e' ? is("expect", Name::Expect) : is("cookie", Name::Cookie);
    case 7: return c == 't' ? is("trailer", Name::Trailer) : is("upgrade", Name::Upgrade);
    case 10:
      return c == 'c'   ? is("connection", Name::Connection)
             : c == 'k' ? is("keep-alive", Name::KeepAlive)
                        : is("set-cookie", Name::SetCookie);
    case 12: return is("content-type", Name::ContentType);
    case 14:
      return c == 'h' ? is("http2-settings", Name::Http2Settings) : is("content-length", Name::ContentLength);
    case 16:
      return c == 'p' ? is("proxy-connection", Name::ProxyConnection)
                      : is("content-encoding", Name::ContentEncoding);
    case 17: return is("transfer-encoding", Name::TransferEncoding);
    case 18: return is("proxy-authenticate", Name::ProxyAuthenticate);
    case 19: return is("proxy-authorization", Name::ProxyAuthorization);
    default: return Name::Other;
  }
}

std::string_view text_of(Name name) { return known_names[static_cast<size_t>(name)]; }

const Headers::Entry* Headers::first(std::string_view name, Name id) const {
  if (id != Name::Other && !has(id)) return nullptr;
  for (const Entry& entry : entries_) {
    if (entry.removed || entry.id != id) continue;
    if (id != Name::Other || equal_ignoring_case(name_at(entry), name)) return &entry;
  }
  return nullptr;
}

std::optional<std::string_view> Headers::find(Name name) const {
  const Entry* entry = first({}, name);
  return entry ? std::optional(value_at(*entry)) : std::nullopt;
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  const Entry* entry = first(name, name_of(name));
  return entry ? std::optional(value_at(*entry)) : std::nullopt;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  each([&](std::string_view field, std::string_view value, Name) {
    if (equal_ignoring_case(field, name)) values.push_back(value);
  });
  return values;
}

bool Headers::has_token(Name name, std::string_view token) const {
  bool found = false;
  each_of(name, [&](std::string_view value) {
    while (!value.empty() && !found) {
      const size_t comma = value.find(',');
      found = equal_ignoring_case(trim(value.substr(0, comma)), token);
      value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    }
  });
  return found;
}

bool Headers::is_own(std::string_view text) const {
  return text.data() >= text_.data() && text.data() < text_.data() + text_.size();
}

uint32_t Headers::store(std::string_view text) {
  const auto begin = static_cast<uint32_t>(text_.size());
  if (is_own(text)) text_.append(std::string(text));
  else text_.append(text);
  return begin;
}

void Headers::add(std::string_view name, std::string_view value, Name id) {
  const auto name_size = static_cast<uint32_t>(name.size());
  const auto value_size = static_cast<uint32_t>(value.size());
  const auto name_begin = static_cast<uint32_t>(text_.size());
  if (is_own(name) || is_own(value)) {
    // Both are copied before the block grows and moves under them.
    text_.append(std::string(name).append(value));
  } else {
    text_.append(name).append(value);
  }
  const uint32_t value_begin = name_begin + name_size;
  entries_.push_back({name_begin, name_size, value_begin, value_size, id, false});
  present_ |= bit_of(id);
  ++live_;
}

void Headers::set(std::string_view name, std::string_view value, Name id) {
  auto* entry = const_cast<Entry*>(first(name, id));
  if (!entry) {
    add(name, value, id);
    return;
  }
  entry->value_size = static_cast<uint32_t>(value.size());
  entry->value_begin = store(value);
  for (Entry* other = entry + 1; other != entries_.data() + entries_.size(); ++other) {
    if (other->removed || other->id != id) continue;
    if (id == Name::Other && !equal_ignoring_case(name_at(*other), name)) continue;
    other->removed = true;
    --live_;
  }
}

size_t Headers::remove(std::string_view name) {
  const Name id = name_of(name);
  if (id != Name::Other) return remove(id);
  size_t count = 0;
  for (Entry& entry : entries_) {
    if (entry.removed || entry.id != Name::Other || !equal_ignoring_case(name_at(entry), name)) continue;
    entry.removed = true;
    ++count;
  }
  live_ -= static_cast<uint32_t>(count);
  return count;
}

size_t Headers::remove(NameSet names) {
  if (!has_any(names)) return 0;
  size_t count = 0;
  for (Entry& entry : entries_) {
    if (entry.removed || (bit_of(entry.id) & names.bits()) == 0) continue;
    entry.removed = true;
    ++count;
  }
  present_ &= ~names.bits();
  live_ -= static_cast<uint32_t>(count);
  return count;
}

void Headers::clear() {
  text_.clear();
  entries_.clear();
  present_ = 0;
  live_ = 0;
}

std::optional<Headers::Field> Headers::at(size_t index) const {
  for (const Entry& entry : entries_) {
    if (entry.removed) continue;
    if (index-- == 0) return Field{name_at(entry), value_at(entry), entry.id};
  }
  return std::nullopt;
}

bool is_token_char(char c) { return token_table[static_cast<unsigned char>(c)]; }

bool is_valid_name(std::string_view name) {
  for (const char c : name)
    if (!is_token_char(c)) return false;
  return !name.empty();
}

bool is_valid_value(std::string_view value) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

}  // namespace perilune::message
