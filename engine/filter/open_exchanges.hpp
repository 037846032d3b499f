#pragma once

#include <array>

#include "base/limits.hpp"
#include "base/object.hpp"
#include "flow/context.hpp"
#include "http/h1_parser.hpp"
#include "loop/loop.hpp"

namespace perilune::filter {

/// What a request said that decides how its answer is read and written (RFC 9112 sections 6.3 and 9.3). As it
/// was on that wire: a script may send an upstream another method than the client's.
struct Asked {
  enum class Method : uint8_t { Other, Head, Connect };

  static Asked by(const message::RequestHead& head);
  std::string_view method_name() const {
    return method == Method::Head ? "HEAD" : method == Method::Connect ? "CONNECT" : "GET";
  }

  Method method = Method::Other;
  message::Version version = message::Version::Http11;
  http::UpgradeOffer offer = http::UpgradeOffer::None;
  bool keep_alive = true;
  bool accepts_trailers = false;
  /// Its answer did not have to be asked for: it is there as a message and only waits for its turn.
  bool is_answered = false;
};

/// Requests whose answers are not complete, in order. Bounded by limits::pipelined_requests_max.
class AskedQueue {
 public:
  bool empty() const { return size_ == 0; }
  bool is_full() const { return size_ == ring_.size(); }
  void push(const Asked& asked) {
    PERILUNE_EXPECT(!is_full(), "open exchanges are bounded");
    ring_[(first_ + size_++) % ring_.size()] = asked;
  }
  const Asked& front() const { return ring_[first_]; }
  void pop() {
    PERILUNE_EXPECT(!empty(), "an exchange ends once");
    first_ = (first_ + 1) % ring_.size();
    --size_;
  }

 private:
  std::array<Asked, limits::pipelined_requests_max> ring_{};
  size_t first_ = 0;
  size_t size_ = 0;
};

/// The exchanges of one byte stream that is taken apart and put together by codecs, shared by them through
/// its context: answers on a wire say not whom they answer, so their order against the requests is all there
/// is (RFC 9112 section 9.3.2).
class OpenExchanges final : public Object {
 public:
  static Ref<OpenExchanges> of(flow::Context& context);

  /// decodeHTTPRequest adds, encodeHTTPResponse takes away.
  AskedQueue of_client;
  /// encodeHTTPRequest adds, decodeHTTPResponse takes away.
  AskedQueue to_upstream;
  /// Which of the four there are; where one of a pair is missing, nobody counts.
  bool has_request_decoder = false;
  bool has_response_encoder = false;
  bool has_request_encoder = false;
  bool has_response_decoder = false;
  /// The other protocol was accepted: bytes go through untouched from now on.
  bool is_tunnel = false;
  /// The connection ends with the last answer that was written.
  bool is_over = false;
  /// Reads on when an exchange ended or became a tunnel; null when nobody waits.
  loop::Task* reader = nullptr;
};

}  // namespace perilune::filter
