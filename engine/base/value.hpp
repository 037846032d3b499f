#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/object.hpp"

namespace perilune {

/// A value that crosses the border between scripts and the engine: nothing, a boolean, a number, a string, or
/// an object (a message, a function, a pipeline, a script's table by identity).
class Value {
 public:
  Value() = default;
  Value(bool boolean) : value_(boolean) {}
  Value(double number) : value_(number) {}
  Value(int number) : value_(static_cast<double>(number)) {}
  Value(std::string text) : value_(std::move(text)) {}
  Value(std::string_view text) : value_(std::string(text)) {}
  Value(const char* text) : value_(std::string(text)) {}
  Value(Ref<Object> object) : value_(std::move(object)) {}

  bool is_nil() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_false() const { return std::holds_alternative<bool>(value_) && !std::get<bool>(value_); }
  bool is_true() const { return std::holds_alternative<bool>(value_) && std::get<bool>(value_); }
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const double* number() const { return std::get_if<double>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  Object* object() const {
    const auto* ref = std::get_if<Ref<Object>>(&value_);
    return ref ? ref->get() : nullptr;
  }
  /// The object as a T, null when it is something else.
  template <typename T>
  T* object_as() const {
    return dynamic_cast<T*>(object());
  }
  /// Keeps the capacity of a string that is replaced by a string.
  void assign(std::string_view text) {
    if (auto* mine = std::get_if<std::string>(&value_)) mine->assign(text);
    else value_.emplace<std::string>(text);
  }
  /// "nil", "boolean", "number", "string", "object": for error messages.
  std::string_view type_name() const {
    constexpr std::string_view names[] = {"nil", "boolean", "number", "string", "object"};
    return names[value_.index()];
  }

  /// Equal type and value; objects by identity.
  friend bool operator==(const Value& a, const Value& b) { return a.value_ == b.value_; }
  /// For hash tables; consistent with equality.
  friend size_t hash_value(const Value& value) {
    size_t hash = value.value_.index() * 0x9e3779b97f4a7c15u;
    if (const auto* text = value.string()) hash ^= std::hash<std::string_view>()(*text);
    else if (const auto* number = value.number()) hash ^= std::hash<double>()(*number);
    else if (const auto* boolean = value.boolean()) hash ^= *boolean ? 1 : 2;
    else hash ^= std::hash<const Object*>()(value.object());
    return hash;
  }

 private:
  std::variant<std::monostate, bool, double, std::string, Ref<Object>> value_;
};

}  // namespace perilune
