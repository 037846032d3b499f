#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/object.hpp"
#include "base/time.hpp"
#include "net/address.hpp"

namespace perilune::net {

/// What one read or write came to.
struct Transfer {
  enum class Status : uint8_t {
    Done,     // `bytes` moved; more may be possible at once
    Blocked,  // nothing more now: a callback will say when
    Ended,    // read: the peer has sent its last byte (FIN)
    Failed,   // the connection is gone; `code` tells Reset or another
  };
  Status status = Status::Blocked;
  size_t bytes = 0;
  ErrorCode code = ErrorCode::Reset;
};

/// Told by a Stream, from within Driver::dispatch only, never from within a call to the stream.
class StreamHandler {
 public:
  /// Bytes, an end or an error wait: read until Blocked, Ended or Failed, or leave it and read later: the
  /// stream does not call again for what it told already (edge-triggered).
  virtual void on_readable() = 0;
  /// Writing is possible again after a Blocked write.
  virtual void on_writable() = 0;

 protected:
  ~StreamHandler() = default;
};

/// A connected byte stream (TCP or unix), without buffers of its own. Closing is the destructor's work.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Must be set before the loop's next turn. The handler outlives the stream or is replaced.
  virtual void set_handler(StreamHandler* handler) = 0;

  /// Reads once. A Done with fewer bytes than there was room for may be followed by Blocked without a system
  /// call; when the kernel announced an end or an error with the data, the next read goes to it.
  virtual Transfer read(std::span<const iovec> room) = 0;
  /// Writes once, gathering; Done may be partial.
  virtual Transfer write(std::span<const iovec> data) = 0;
  /// Sends FIN after what was written; reading goes on.
  virtual void shutdown_write() = 0;
  /// Makes the coming close a reset (RST, linger 0), so that the peer cannot take a cut for an end.
  virtual void reset_on_close() = 0;
  /// True when there is nothing to read now, no byte, no end and no error; takes nothing. A system call.
  virtual bool is_quiet() const = 0;
  /// True once a reset was announced, though bytes from before it may still wait to be read.
  virtual bool was_reset() const = 0;
  virtual Address local() const = 0;
  virtual Address peer() const = 0;
};

/// Told of accepted connections, from within Driver::dispatch.
class ListenHandler {
 public:
  /// Whether the next newcomer, if one waits, is accepted. After a no the next one to come asks again, and so
  /// does resume().
  virtual bool may_accept() { return true; }
  virtual void on_accept(std::unique_ptr<Stream> stream) = 0;
  /// Descriptors ran out: accepting rests for limits::accept_pause and goes on by itself.
  virtual void on_accept_paused(const Error& error) = 0;

 protected:
  ~ListenHandler() = default;
};

struct ListenOptions {
  int backlog = 4096;
  /// Permissions of a unix socket's file; 0: what the umask leaves. No moment before they hold.
  unsigned unix_mode = 0;
};

/// A listening socket of one worker. Its destructor accepts what the kernel has completed already, hands it
/// out without asking may_accept, and closes.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The bound address, with the real port where 0 was asked for.
  virtual Address local() const = 0;
  /// Stops and resumes accepting (at a connection limit); the backlog keeps newcomers meanwhile.
  virtual void pause() = 0;
  virtual void resume() = 0;
  /// How many newcomers wait to be accepted; on a unix socket only whether one does, which counts as one.
  virtual size_t waiting() const = 0;
  /// Others are told from now on, and `options` hold: a new version of the script took over.
  virtual void hand_over(ListenHandler& handler, const ListenOptions& options) = 0;
};

/// Told how a connect ended, once, from within Driver::dispatch.
class ConnectHandler {
 public:
  /// Errors (Side::Upstream): ConnectFailure, Resources.
  virtual void on_connected(Result<std::unique_ptr<Stream>> stream) = 0;

 protected:
  ~ConnectHandler() = default;
};

/// Why an answer of DNS is empty, where it is. It is an answer all the same: the servers said so.
enum class Absence : uint8_t {
  None,       // it is not empty
  NoRecords,  // the name exists, without records of the kind (NODATA, RFC 2308 section 2.2)
  NoName,     // it does not exist (NXDOMAIN)
};

/// The addresses of a name.
struct Resolution {
  /// With the asked port, in the order to try. Empty only with an absence.
  std::vector<Address> addresses = {};
  /// How long they may be used from now on: what is left of their TTL, the smallest one. 0 is possible (for
  /// the hosts file, for instance): who asks again and again brings a least time of his own. Duration::max()
  /// for a literal address; 0 with an absence.
  Duration ttl = Duration::zero();
  Absence absence = Absence::None;
};

class ResolveHandler {
 public:
  /// An answer, be it that there is nothing. Errors (Side::Upstream): ResolveFailure when no answer could be
  /// had (no server answers in time, or they fail or refuse), which says nothing about the name.
  virtual void on_resolved(Result<Resolution> resolution) = 0;

 protected:
  ~ResolveHandler() = default;
};

/// Where a service is offered: one address of one SRV record's target.
struct ServiceEndpoint {
  Address address;
  uint16_t priority = 0;  // smaller ones first; larger ones only when those cannot be reached
  uint16_t weight = 0;    // share within the priority; 0: hardly ever where others have more
  std::string target;     // the host that has the address, in lower case
};

/// The endpoints of a service, in no particular order. All addresses of a target have its whole weight.
struct ServiceResolution {
  /// May be empty without an absence: targets that have no address.
  std::vector<ServiceEndpoint> endpoints = {};
  /// As in Resolution: the smallest TTL of all records that took part.
  Duration ttl = Duration::zero();
  /// Of the SRV records. NoRecords also when the one record says that the service is not offered (target
  /// ".").
  Absence absence = Absence::None;
  /// Targets of which no answer could be had: they may have addresses. Never all of them.
  std::vector<std::string> unanswered = {};
  /// Targets, and addresses of targets, beyond limits::service_targets_max and target_addresses_max.
  size_t left_out = 0;
};

class ServiceHandler {
 public:
  /// Errors (Side::Upstream): ResolveFailure when no answer could be had for the service, or for none of its
  /// targets.
  virtual void on_service(Result<ServiceResolution> resolution) = 0;

 protected:
  ~ServiceHandler() = default;
};

/// Something under way; destroying it calls it off, and its handler is not told.
class Operation {
 public:
  virtual ~Operation() = default;
};

struct ConnectOptions {
  /// Local address to bind; empty host: the kernel's choice.
  Address bind = {};
};

/// The network as one worker sees it. Two implementations: the kernel's (AsioNetwork) and a simulated one
/// (sim). Everything above stands on this seam.
class Network {
 public:
  virtual ~Network() = default;

  /// Binds and listens. `address` must not need resolving. Errors (Side::Engine): Resources with the system's
  /// sentence (in use, not permitted, not available).
  virtual Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                                   ListenHandler& handler) = 0;
  /// Begins one connection attempt to a resolved address. It has no deadline: who dials destroys the
  /// operation.
  virtual std::unique_ptr<Operation> connect(const Address& address, const ConnectOptions& options,
                                             ConnectHandler& handler) = 0;
  /// Looks up A and AAAA of a name. The answer comes in a later turn, also for a literal address.
  virtual std::unique_ptr<Operation> resolve(const Address& name, ResolveHandler& handler) = 0;
  /// Looks up the SRV records of a service such as "_http._tcp.example.org", and the addresses of their
  /// targets (RFC 2782). The answer comes in a later turn.
  virtual std::unique_ptr<Operation> resolve_service(const std::string& name, ServiceHandler& handler) = 0;

  /// More than half of the descriptors are in use, as far as the newest connection of this worker tells: who
  /// can do with fewer should.
  virtual bool is_crowded() const { return false; }
};

}  // namespace perilune::net
