#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/object.hpp"
#include "base/pooled.hpp"
#include "base/time.hpp"
#include "flow/message.hpp"

namespace perilune::flow {

class Context;

/// Keeps a script's side of contexts (their tables).
class ContextOwner {
 public:
  /// The context is over: let go of its table.
  virtual void release_context(Context& context) = 0;

 protected:
  ~ContextOwner() = default;
};

/// The client of a session. Texts are filled when first asked for.
class ClientInfo {
 public:
  virtual ~ClientInfo() = default;
  uint64_t id = 0;
  virtual std::string ip() const = 0;
  virtual uint16_t port() const = 0;
  virtual std::string local_ip() const = 0;
  virtual uint16_t local_port() const = 0;
};

/// What is known of the upstream that answered an exchange.
struct UpstreamInfo {
  std::string endpoint;
  int attempts = 0;
  bool reused = false;
  Duration connect_time{};
  Duration first_byte_time{};
};

/// The `ctx` of scripts: one per session, and one child for each thing that lives on its own (a request, a
/// connection). Reads fall through to the parent, writes stay. The engine's part is here; the script's own
/// names live in a table that is made when the first hook needs it.
class Context final : public Object, public Pooled<Context> {
 public:
  /// A session's context.
  static Ref<Context> make_session(ClientInfo* client, Instant started);
  static Ref<Context> make_child(Context& parent, Instant started);
  /// A context without a client: for `every`, `after` and connections that outlive their opener.
  static Ref<Context> make_detached(Instant started);

  /// Null at the top, and after let_go_of_parent().
  Context* parent() const { return parent_.get(); }
  /// The session's own context; itself when it is one, null for a detached one.
  Context* session();
  /// Null for detached contexts and when the session is over.
  ClientInfo* client() const;
  void set_client(ClientInfo* client) { client_ = client; }

  /// A connection's context lets go of its opener once it is connected.
  void let_go_of_parent() { parent_.reset(); }

  /// The exchange: null outside one. Found in this context or the nearest ancestor that has it.
  Message* request() const;
  Message* response() const;
  UpstreamInfo* upstream() const;
  void set_request(Ref<Message> request) { request_ = std::move(request); }
  void set_response(Ref<Message> response) { response_ = std::move(response); }
  UpstreamInfo& make_upstream();
  /// When the session, exchange or connection of this context began.
  Instant started() const { return started_; }

  /// The script's table for this context (a reference it understands), 0 before the first hook.
  int script_reference = 0;
  ContextOwner* owner = nullptr;

  Context() = default;

 private:
  ~Context() override;

  Ref<Context> parent_;
  ClientInfo* client_ = nullptr;
  Ref<Message> request_;
  Ref<Message> response_;
  std::unique_ptr<UpstreamInfo> upstream_;
  Instant started_{};
  bool is_session_ = false;
};

}  // namespace perilune::flow
