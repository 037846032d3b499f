#pragma once

#include <cstdint>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/expect.hpp"

namespace perilune {

/// Base of what is shared inside one thread: an intrusive, non-atomic reference count. Debug builds check
/// that the thread which made an object is the only one that counts its references.
class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void add_reference() const noexcept {
    check_owner();
    ++references_;
  }
  void drop_reference() const noexcept {
    check_owner();
    if (--references_ == 0) const_cast<Object*>(this)->on_unreferenced();
  }
  uint32_t reference_count() const noexcept { return references_; }

 protected:
  virtual ~Object() = default;

  /// Called when the last reference went. Pooled classes go back to their pool here.
  virtual void on_unreferenced() noexcept { delete this; }

  /// A pooled object that is taken by another thread's pool after a hand-over.
  void adopt_by_this_thread() noexcept {
#ifndef NDEBUG
    owner_ = std::this_thread::get_id();
#endif
  }

 private:
  void check_owner() const noexcept {
#ifndef NDEBUG
    PERILUNE_EXPECT(owner_ == std::this_thread::get_id(), "an object is counted by its own thread only");
#endif
  }

  mutable uint32_t references_ = 0;
#ifndef NDEBUG
  std::thread::id owner_ = std::this_thread::get_id();
#endif
};

/// Shared ownership of an Object within its thread.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  Ref(T* object) : object_(object) {
    if (object_) object_->add_reference();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
    requires std::is_convertible_v<U*, T*> Ref(Ref<U> other) : object_(other.detach()) {}
    ~Ref() {
      if (object_) object_->drop_reference();
    }
    Ref& operator=(Ref other) noexcept {
      std::swap(object_, other.object_);
      return *this;
    }

    T* get() const { return object_; }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }
    void reset() { Ref().swap(*this); }
    void swap(Ref& other) noexcept { std::swap(object_, other.object_); }

    /// Gives up ownership without counting down: the caller holds the reference now.
    T* detach() { return std::exchange(object_, nullptr); }
    /// Takes over a reference that detach() gave out.
    static Ref attach(T* object) {
      Ref ref;
      ref.object_ = object;
      return ref;
    }

    friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }
    friend bool operator==(const Ref& a, const T* b) { return a.object_ == b; }

   private:
    T* object_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace perilune
