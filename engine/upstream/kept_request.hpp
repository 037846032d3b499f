#pragma once

#include "buffer/buffer.hpp"
#include "flow/event.hpp"

namespace perilune::upstream {

/// The body of a request so far, and its end, while it may have to be sent again. Small pieces are copied
/// together, so that a body that trickles in does not pin a chunk for each of its bytes.
class KeptRequest {
 public:
  void keep(flow::Event& event, buffer::ChunkPool& chunks) {
    if (event.is_data()) {
      body_.append_compact(event.slice(), chunks);
    } else if (event.is_message_end()) {
      has_end_ = true;
      trailers_ = event.trailers();
    }
  }
  size_t bytes() const { return body_.size(); }
  void clear() {
    body_.clear();
    trailers_.reset();
    has_end_ = false;
  }
  /// Calls `send(event)` for all of it. What that leads to may clear this.
  template <typename Send>
  void send(Send&& send) const {
    if (!body_.empty()) {
      const buffer::Buffer body = body_;
      for (const buffer::Slice& slice : body.slices()) send(flow::Event::data(slice));
    }
    if (has_end_) send(flow::Event::message_end(trailers_));
  }

 private:
  buffer::Buffer body_;
  Ref<message::Trailers> trailers_;
  bool has_end_ = false;
};

}  // namespace perilune::upstream
