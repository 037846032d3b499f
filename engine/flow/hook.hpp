#pragma once

#include <memory>

#include "base/error.hpp"
#include "base/object.hpp"
#include "base/value.hpp"
#include "flow/context.hpp"
#include "flow/message.hpp"

namespace perilune::flow {

class HookCall;

/// Told that a call which had to wait is over.
class HookHandler {
 public:
  /// `call.status` is Returned or Failed now. Comes from the loop, never from within a call to the hook.
  virtual void on_hook_done(HookCall& call) = 0;

 protected:
  ~HookHandler() = default;
};

/// What a hook is given, in the order in which scripts see it.
enum class HookShape : uint8_t {
  Context,       // (ctx)
  Data,          // (data, ctx)
  Message,       // (msg, ctx)
  Body,          // (body, ctx): `message` holds the body
  ContextError,  // (ctx, err)
  Piece,         // (): a body source, asked for its next piece
  Error,         // (err, ctx)
  ContextValue,  // (ctx, value): `value` is given, and holds the result afterwards
};

enum class HookStatus : uint8_t {
  Idle,
  Waiting,   // it waits; the handler will be told
  Returned,  // `value` (and `failure` when it returned nil, err)
  Failed,    // `failure` says why: it raised, or was cancelled
};

/// A function of the script. The script room implements it; nothing below knows Lua.
class Hook : public Object {
 public:
  /// Runs the function with what `call` holds, and fills its result. When it has to wait, the status is
  /// Waiting, and the call must stay where it is until it is over or cancelled.
  virtual void run(HookCall& call) = 0;
  /// Ends a waiting call: `cancelled` is raised at the wait and the function unwinds before this returns. The
  /// handler is not told.
  virtual void cancel(HookCall& call) = 0;
};

/// One call of a hook; a member of whoever calls, used again and again.
class HookCall {
 public:
  explicit HookCall(HookHandler& handler) : handler_(handler) {}
  HookCall(const HookCall&) = delete;
  HookCall& operator=(const HookCall&) = delete;
  ~HookCall() { cancel(); }

  // given
  HookShape shape = HookShape::Context;
  /// Kept by the caller for as long as the call lasts.
  Context* context = nullptr;
  Ref<Message> message;
  buffer::Slice data;
  const Error* error = nullptr;
  /// End handlers and other calls that may not wait: a wait inside raises an error.
  bool may_wait = true;
  // result
  HookStatus status = HookStatus::Idle;
  Value value;
  std::unique_ptr<Error> failure;
  // the script's own
  void* waiting = nullptr;

  HookStatus run(Hook& hook, HookShape asked_shape, Context& ctx);
  bool is_waiting() const { return status == HookStatus::Waiting; }
  /// Calls off a wait; nothing happens when there is none.
  void cancel();
  /// For the script room: the wait is over; status, value and failure are set.
  void finish() { handler_.on_hook_done(*this); }

 private:
  HookHandler& handler_;
  Ref<Hook> running_;
};

}  // namespace perilune::flow
