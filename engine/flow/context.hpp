#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/object.hpp"
#include "base/pooled.hpp"
#include "base/time.hpp"
#include "base/value.hpp"
#include "flow/message.hpp"

namespace perilune::loop {
class Task;
}

namespace perilune::flow {

class AccessLog;
class Context;
class TrustedProxies;

/// Keeps a script's side of contexts (their tables).
class ContextOwner {
 public:
  /// The context is over: let go of its table.
  virtual void release_context(Context& context) = 0;

 protected:
  ~ContextOwner() = default;
};

/// What a listener asks of its sessions; a protocol filter that knows where messages begin and end keeps
/// these times itself.
struct SessionTimes {
  Duration head_timeout{};
  Duration idle_timeout{};
  Duration body_timeout{};
  /// Bytes of a body a second below which a client is cut; 0: none.
  uint64_t body_rate_min = 0;
};

/// What a listener has its sessions do.
struct SessionRules {
  SessionTimes times;
  /// Whom to believe what they say of their clients; null where nobody is trusted.
  const TrustedProxies* trusted_proxies = nullptr;
  /// Gets a record of each exchange; null where none is asked for.
  AccessLog* access_log = nullptr;
};

/// The client of a session. Texts are filled when first asked for.
class ClientInfo {
 public:
  virtual ~ClientInfo() = default;
  uint64_t id = 0;
  /// Its listener's; never null while the session lasts.
  const SessionRules* rules = nullptr;
  /// The client is one of its listener's trusted proxies: requests name their client. Null otherwise.
  const TrustedProxies* trusted_proxies = nullptr;
  /// A protocol filter watches the times of this session now; the socket's own idle clock stops.
  virtual void leave_time_to_protocol() {}
  /// The client said that it sends nothing more, and all it sent was read: when the output has ended there is
  /// nothing to wait for.
  virtual void expect_no_more() {}
  /// Its pipeline, which was asked to let it move, waits for its next message now.
  virtual void on_rest() {}
  /// It was another pipeline's before, and waits for its next message.
  bool has_moved = false;
  virtual std::string ip() const = 0;
  virtual uint16_t port() const = 0;
  virtual std::string local_ip() const = 0;
  virtual uint16_t local_port() const = 0;
};

/// The socket under an upstream connection, as its session sees it.
class WireProbe {
 public:
  /// Nothing waits to be read, no end and no error: what was idle is as it was left. Costs a system call.
  virtual bool is_quiet() = 0;

 protected:
  ~WireProbe() = default;
};

/// What is known of the upstream that answered an exchange.
struct UpstreamInfo {
  /// Bytes that the kernel took; a request none of whose bytes were written may be sent again.
  uint64_t bytes_sent = 0;
  /// How long a response may be silent; the client session watches it.
  Duration read_timeout = Duration::max();
  bool is_connected = false;
  /// Deferred when it is connected; null where nobody wants to know.
  loop::Task* connected_task = nullptr;
  /// While it is connected.
  WireProbe* probe = nullptr;
  std::string endpoint;
  /// The name of its cluster; empty for what belongs to none.
  std::string_view cluster = {};
  Duration connect_time{};
  Duration first_byte_time{};
};

/// What filters may ask of the exchange that they are part of.
class ExchangeControl {
 public:
  /// The body is wanted before the request is forwarded: a client that waits for a 100 gets it from here (RFC
  /// 9110 section 10.1.1).
  virtual void ask_for_body() = 0;

 protected:
  ~ExchangeControl() = default;
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
  /// Where the client is: of an exchange whose request came through a trusted proxy what that said, as the
  /// head was received; else the session's peer. Empty without a client.
  std::string client_ip();
  /// The nearest context up from here whose client a trusted proxy named; else the session's, null for a
  /// detached one.
  Context* client_owner();
  bool has_forwarded_client() const { return exchange_ && !exchange_->forwarded_ip.empty(); }

  /// A connection's context lets go of its opener once it is connected.
  void let_go_of_parent() { parent_.reset(); }

  /// The nearest context up from here that is an exchange's; null outside one.
  Context* exchange();
  /// The exchange: null outside one. Found in this context or the nearest ancestor that has it.
  Message* request();
  Message* response();
  /// The exchange is over: its messages are read-only from here on.
  void seal_messages();
  UpstreamInfo* upstream() const;
  /// Makes this the context of an exchange. The message that scripts hold is made when one asks for it.
  void set_request(Ref<message::Head> head);
  /// To be called with the head as it came by wire.
  void note_forwarded_client(const message::Headers& headers);
  void set_response(Ref<message::Head> head);
  /// The message of the exchange that has this head, or a new one.
  Ref<Message> message_of(const Ref<message::Head>& head);
  /// For connections: what upstream() of the exchanges on them gives.
  UpstreamInfo& make_upstream();
  /// The connection that carries this exchange.
  void set_connection(Ref<Context> connection) { own_exchange().connection = std::move(connection); }
  /// A connection was taken for the exchange that this context belongs to: a new one, or one that was used
  /// before.
  void note_attempt(bool is_reused);
  int attempts();
  bool is_reused();
  void set_control(ExchangeControl* control) { own_exchange().control = control; }
  /// Null outside an exchange.
  ExchangeControl* control() const;
  /// The key under which a connection is pooled (`ctx.key`), nil for what is none.
  const Value& key() const;
  void set_key(const Value& key) { key_ = std::make_unique<Value>(key); }
  /// What the codecs of a byte stream share; null where there are none.
  Ref<Object> codec_state;
  /// When the session, exchange or connection of this context began.
  Instant started() const { return started_; }

  Context() = default;

  ContextOwner* owner = nullptr;
  /// The script's table for this context (a reference it understands), 0 before the first hook.
  int script_reference = 0;

 private:
  ~Context() override;

  /// What only an exchange has: sessions are many, and idle most of the time.
  struct Exchange final : Pooled<Exchange> {
    std::string forwarded_ip;
    Ref<Context> connection;
    Ref<message::Head> request_head;
    Ref<message::Head> response_head;
    Ref<Message> request;
    Ref<Message> response;
    ExchangeControl* control = nullptr;
    int attempts = 0;
    bool is_reused = false;
    bool is_sealed = false;
    Message* made_of(Ref<Message>& message, const Ref<message::Head>& head);
  };
  Exchange& own_exchange() {
    if (!exchange_) exchange_ = std::make_unique<Exchange>();
    return *exchange_;
  }
  bool is_exchange() const { return exchange_ && exchange_->request_head; }

  bool is_session_ = false;
  Ref<Context> parent_;
  ClientInfo* client_ = nullptr;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<UpstreamInfo> upstream_;
  std::unique_ptr<Value> key_;
  Instant started_{};
};

}  // namespace perilune::flow
