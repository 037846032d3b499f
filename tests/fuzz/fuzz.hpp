#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

/// What fuzz targets share. Each is a function that takes any bytes and aborts when a promise is broken.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace perilune::fuzz {

inline void require(bool holds, const char* promise, std::string_view one = {}, std::string_view other = {}) {
  if (holds) return;
  std::cerr << "broken: " << promise << "\n" << one << "\n--- and ---\n" << other << "\n";
  std::abort();
}

/// Takes decisions from the front of an input; the rest is text.
class Decisions {
 public:
  Decisions(const uint8_t* data, size_t size) : text_(reinterpret_cast<const char*>(data), size) {}
  uint8_t byte() {
    if (text_.empty()) return 0;
    const auto value = static_cast<uint8_t>(text_.front());
    text_.remove_prefix(1);
    return value;
  }
  std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
};

/// Lengths to cut a text into, of one seed: 1 to 16 bytes, now and then up to 600.
class Cuts {
 public:
  explicit Cuts(uint32_t seed) : state_(seed * 2654435761U + 1) {}
  size_t next() {
    state_ = state_ * 1664525U + 1013904223U;
    const uint32_t value = state_ >> 8;
    return value % 8 == 0 ? value / 8 % 600 + 1 : value / 8 % 16 + 1;
  }

 private:
  uint32_t state_;
};

}  // namespace perilune::fuzz
