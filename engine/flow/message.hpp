#pragma once

#include <cstdint>

#include "base/object.hpp"
#include "base/pooled.hpp"
#include "buffer/buffer.hpp"
#include "flow/event.hpp"
#include "message/head.hpp"

namespace perilune::flow {

class Hook;

/// A message as scripts hold it: the head, and the body where it was collected or made.
class Message final : public Object, public Pooled<Message> {
 public:
  static Ref<Message> of(Ref<message::Head> head) {
    auto message = make_ref<Message>();
    message->head = std::move(head);
    return message;
  }
  /// A copy that shares the body's bytes.
  Ref<Message> copy() const;
  /// A response with its whole body: it can be given many times without being copied, where its head is
  /// marked as shared.
  bool is_whole_response() const { return has_body && !body_source && response(); }
  /// To be called before the head is changed.
  void make_head_own() { message::make_own(head); }

  Ref<message::Head> head;
  /// The body; meaningful when has_body.
  buffer::Buffer body;
  /// The body was collected, or made by a script. Without it the body streams past.
  bool has_body = false;
  /// A script assigned the body: framing, content-encoding and etag follow (set_body does this).
  bool body_replaced = false;
  /// Heads may not change any more (the head was sent), or never (a static Message).
  bool is_read_only = false;
  /// Gives the body in pieces when a script assigned a function; null otherwise.
  Ref<Hook> body_source;
  Ref<message::Trailers> trailers;
  /// Body bytes that went past so far (handleMessageEnd).
  uint64_t body_size = 0;
  /// The path that came by wire, when a script changed `path` (requests).
  std::string original_path;
  /// What the script room keeps with this message (a registry reference), and who is told when it goes.
  int script_reference = 0;
  class ScriptOwner {
   public:
    virtual void release_message(Message& message) = 0;

   protected:
    ~ScriptOwner() = default;
  };
  ScriptOwner* script_owner = nullptr;

  message::RequestHead* request() const {
    return head && head->is_request() ? static_cast<message::RequestHead*>(head.get()) : nullptr;
  }
  message::ResponseHead* response() const {
    return head && !head->is_request() ? static_cast<message::ResponseHead*>(head.get()) : nullptr;
  }
  /// Replaces the body: length framing; content-encoding, etag and the old content-length go.
  void set_body(buffer::Buffer new_body);

  Message();
  ~Message() override;
};

}  // namespace perilune::flow
