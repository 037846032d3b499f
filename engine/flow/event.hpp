#pragma once

#include <memory>
#include <utility>
#include <variant>

#include "base/error.hpp"
#include "buffer/chunk.hpp"
#include "message/head.hpp"

namespace perilune::flow {

/// What travels through a pipeline. A byte stream is Data* StreamEnd; a message is MessageStart Data*
/// MessageEnd. Passed by rvalue, at most 32 bytes, never copied by accident.
class Event {
 public:
  enum class Kind : uint8_t { Data, MessageStart, MessageEnd, StreamEnd };

  static Event data(buffer::Slice slice) { return Event(std::move(slice)); }
  /// An interim (1xx) response head has no body and no MessageEnd.
  static Event message_start(Ref<message::Head> head) { return Event(std::move(head)); }
  /// With an error this message failed; others on the same stream go on.
  static Event message_end(Ref<message::Trailers> trailers = {}, std::unique_ptr<Error> error = {}) {
    return Event(End{std::move(trailers), std::move(error)});
  }
  /// Without an error this direction has ended (half-close); a pipeline is done when both have.
  static Event stream_end(std::unique_ptr<Error> error = {}) { return Event(std::move(error)); }

  Kind kind() const { return static_cast<Kind>(part_.index()); }
  bool is_data() const { return kind() == Kind::Data; }
  bool is_message_start() const { return kind() == Kind::MessageStart; }
  bool is_message_end() const { return kind() == Kind::MessageEnd; }
  bool is_stream_end() const { return kind() == Kind::StreamEnd; }
  /// A 1xx response head other than 101.
  bool is_interim() const;

  /// Only for the kind that has it.
  buffer::Slice& slice() { return std::get<0>(part_); }
  const buffer::Slice& slice() const { return std::get<0>(part_); }
  Ref<message::Head>& head() { return std::get<1>(part_); }
  const Ref<message::Head>& head() const { return std::get<1>(part_); }
  message::RequestHead* request() const;
  message::ResponseHead* response() const;
  Ref<message::Trailers>& trailers() { return std::get<2>(part_).trailers; }
  /// The error of a MessageEnd or StreamEnd, null when it ended well or is another kind.
  const Error* error() const;
  std::unique_ptr<Error> take_error();

 private:
  struct End {
    Ref<message::Trailers> trailers;
    std::unique_ptr<Error> error;
  };
  template <typename Part>
  explicit Event(Part part) : part_(std::move(part)) {}

  std::variant<buffer::Slice, Ref<message::Head>, End, std::unique_ptr<Error>> part_;
};
static_assert(sizeof(Event) <= 32);

/// Takes events. What implements it may be handed the next event while it still handles one only where its
/// contract says so; pipelines never do that.
class Sink {
 public:
  virtual void on_event(Event&& event) = 0;

 protected:
  ~Sink() = default;
};

}  // namespace perilune::flow
