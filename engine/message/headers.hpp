#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perilune::message {

/// Field names that the engine itself looks at; everything else is Other. One bit each in a presence mask, so
/// that asking for an absent field costs nothing.
enum class Name : uint8_t {
  Other,
  Host,
  Connection,
  ContentLength,
  TransferEncoding,
  KeepAlive,
  ProxyConnection,
  ProxyAuthenticate,
  ProxyAuthorization,
  Te,
  Trailer,
  Upgrade,
  Expect,
  Date,
  ContentEncoding,
  ETag,
  Cookie,
  SetCookie,
  ContentType,
  Http2Settings,
};

constexpr uint32_t bit_of(Name name) {
  return name == Name::Other ? 0 : uint32_t{1} << static_cast<unsigned>(name);
}
/// Some of the names: a mask, so that asking for any of them is one operation.
class NameSet {
 public:
  constexpr NameSet(std::initializer_list<Name> names) {
    for (const Name name : names) bits_ |= bit_of(name);
  }
  constexpr uint32_t bits() const { return bits_; }

 private:
  uint32_t bits_ = 0;
};

/// Recognises a field name, in any case.
Name name_of(std::string_view name);
/// The usual spelling, e.g. "content-length"; empty for Other.
std::string_view text_of(Name name);

/// A header or trailer section: fields in their order, repeated ones kept, names in their original case.
/// Names compare without case (RFC 9110 section 5.1). The text lives in one block that is reused by clear().
/// Callers give names and values that are valid (RFC 9110 section 5.5): parsers check the wire, scripts'
/// values are checked by is_valid_name and is_valid_value.
class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
    Name id;
  };

  bool empty() const { return live_ == 0; }
  /// Fields that are there (removed ones are not counted).
  size_t size() const { return live_; }
  bool has(Name name) const { return (present_ & bit_of(name)) != 0; }
  bool has_any(NameSet names) const { return (present_ & names.bits()) != 0; }
  bool has(std::string_view name) const { return find(name).has_value(); }

  /// The value of the first field of this name.
  std::optional<std::string_view> find(Name name) const;
  std::optional<std::string_view> find(std::string_view name) const;
  /// Calls `visit(name, value, id)` for each field in order.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const Entry& entry : entries_)
      if (!entry.removed) visit(name_at(entry), value_at(entry), entry.id);
  }
  /// Calls `visit(value)` for each field of that name, in order.
  template <typename Visit>
  void each_of(Name name, Visit&& visit) const {
    if (!has(name)) return;
    for (const Entry& entry : entries_)
      if (!entry.removed && entry.id == name) visit(value_at(entry));
  }
  std::vector<std::string_view> all(std::string_view name) const;
  /// True when a list-valued field (RFC 9110 section 5.6.1) holds `token`, in any of its repetitions and any
  /// case.
  bool has_token(Name name, std::string_view token) const;

  void add(std::string_view name, std::string_view value) { add(name, value, name_of(name)); }
  void add(std::string_view name, std::string_view value, Name id);
  /// For parsers, which have all fields in one text: stores it once, and returns where it begins. Fields are
  /// added by add_stored, before or after, by their positions in what is stored.
  uint32_t store(std::string_view text);
  void add_stored(Name id, uint32_t name_begin, uint32_t name_end, uint32_t value_begin, uint32_t value_end) {
    entries_.push_back({name_begin, name_end - name_begin, value_begin, value_end - value_begin, id, false});
    present_ |= bit_of(id);
    ++live_;
  }
  /// Replaces: the first field of that name keeps its place and gets the value, the others go. Adds when
  /// absent.
  void set(std::string_view name, std::string_view value) { set(name, value, name_of(name)); }
  void set(std::string_view name, std::string_view value, Name id);
  /// Removes every field of that name; returns how many there were.
  size_t remove(std::string_view name);
  size_t remove(Name name) { return remove(NameSet{name}); }
  /// Removes every field of these names, in one pass.
  size_t remove(NameSet names);
  void clear();

  /// Bytes that are stored: at least those of names and values.
  size_t text_bytes() const { return text_.size(); }
  /// The fields by position, removed ones skipped: for iterators of scripts. None past the end.
  std::optional<Field> at(size_t index) const;

 private:
  struct Entry {
    uint32_t name_begin;
    uint32_t name_size;
    uint32_t value_begin;
    uint32_t value_size;
    Name id;
    bool removed;
  };
  std::string_view name_at(const Entry& e) const { return {text_.data() + e.name_begin, e.name_size}; }
  std::string_view value_at(const Entry& e) const { return {text_.data() + e.value_begin, e.value_size}; }
  const Entry* first(std::string_view name, Name id) const;
  /// A view into this very block.
  bool is_own(std::string_view text) const;

  std::string text_;
  std::vector<Entry> entries_;
  uint32_t present_ = 0;
  uint32_t live_ = 0;
};

/// A token of RFC 9110 section 5.6.2, not empty.
bool is_valid_name(std::string_view name);
/// No CR, LF or NUL and no other control byte but tab (RFC 9110 section 5.5): what may be put on the wire.
bool is_valid_value(std::string_view value);
/// A character of a token.
bool is_token_char(char c);

}  // namespace perilune::message
