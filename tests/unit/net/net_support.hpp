#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loop/loop.hpp"
#include "net/asio_network.hpp"

/// Real sockets on the loopback interface, port 0, and loops that run until something holds.
namespace perilune::net {

/// How long a test waits for what must come: long, since sanitizers are slow and machines are busy.
inline constexpr Duration patience = 120s;

/// One worker on the kernel's network.
struct Worker {
  explicit Worker(ListenSockets& listen_sockets, ResolverOptions resolver = {})
      : network(driver, loop, listen_sockets, std::move(resolver)) {}

  /// Runs turns until `condition` holds; false when it did not for too long.
  template <typename Condition>
  bool run_until(Condition condition) {
    const Instant latest = driver.now() + patience;
    while (!condition()) {
      if (driver.now() >= latest) return false;
      loop.run_turn(latest);
    }
    return true;
  }

  AsioDriver driver;
  loop::Loop loop{driver};
  AsioNetwork network;
};

/// Runs several workers in this thread, in rounds.
template <typename Condition>
bool run_all_until(std::vector<Worker*> workers, Condition condition) {
  const Instant latest = workers.front()->driver.now() + patience;
  while (!condition()) {
    for (Worker* worker : workers) {
      const Instant now = worker->driver.now();
      if (now >= latest) return false;
      worker->loop.run_turn(now + 1ms);
    }
  }
  return true;
}

/// A stream end that notes everything.
struct End : StreamHandler {
  explicit End(std::unique_ptr<Stream> s) : stream(std::move(s)) {
    if (stream) stream->set_handler(this);
  }

  void on_readable() override {
    ++readable_calls;
    if (reads) read_all();
  }
  void on_writable() override {
    ++writable_calls;
    flush();
  }
  void read_all() {
    std::array<char, 65536> room;
    for (;;) {
      const iovec entry{room.data(), room.size()};
      const Transfer transfer = stream->read({&entry, 1});
      last = transfer;
      if (transfer.status != Transfer::Status::Done) break;
      received.append(room.data(), transfer.bytes);
    }
    ended |= last.status == Transfer::Status::Ended;
    failed |= last.status == Transfer::Status::Failed;
  }
  void send(std::string_view text) {
    unsent.append(text);
    flush();
  }
  void flush() {
    while (!unsent.empty()) {
      const iovec entry{unsent.data(), unsent.size()};
      last_write = stream->write({&entry, 1});
      if (last_write.status == Transfer::Status::Failed) write_failed = true;
      if (last_write.status != Transfer::Status::Done) return;
      unsent.erase(0, last_write.bytes);
    }
  }

  std::unique_ptr<Stream> stream;
  std::string received;
  std::string unsent;
  Transfer last;
  Transfer last_write;
  bool reads = true;
  bool ended = false;
  bool failed = false;
  bool write_failed = false;
  int readable_calls = 0;
  int writable_calls = 0;
};

struct Acceptor : ListenHandler {
  void on_accept(std::unique_ptr<Stream> stream) override {
    ends.push_back(std::make_unique<End>(std::move(stream)));
  }
  void on_accept_paused(const Error& error) override { pauses.push_back(error); }

  std::vector<std::unique_ptr<End>> ends;
  std::vector<Error> pauses;
};

struct Dialer : ConnectHandler {
  void on_connected(Result<std::unique_ptr<Stream>> stream) override {
    ++calls;
    if (stream) {
      end = std::make_unique<End>(std::move(*stream));
    } else {
      error = stream.error();
    }
  }

  std::unique_ptr<Operation> operation;
  std::unique_ptr<End> end;
  Error error;
  int calls = 0;
};

struct Answer : ResolveHandler {
  void on_resolved(Result<Resolution> result) override {
    ++calls;
    if (result) {
      resolution = std::move(*result);
      addresses = resolution.addresses;
    } else {
      error = result.error();
    }
  }

  std::unique_ptr<Operation> operation;
  Resolution resolution;
  std::vector<Address> addresses;
  Error error;
  int calls = 0;
};

struct ServiceAnswer : ServiceHandler {
  void on_service(Result<ServiceResolution> result) override {
    ++calls;
    if (result) {
      resolution = std::move(*result);
    } else {
      error = result.error();
    }
  }
  /// "priority weight target address", sorted.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const ServiceEndpoint& endpoint : resolution.endpoints) {
      lines.push_back(std::to_string(endpoint.priority) + ' ' + std::to_string(endpoint.weight) + ' ' +
                      endpoint.target + ' ' + endpoint.address.to_string());
    }
    std::ranges::sort(lines);
    return lines;
  }

  std::unique_ptr<Operation> operation;
  ServiceResolution resolution;
  Error error;
  int calls = 0;
};

inline Address address_of(std::string_view text) { return Address::parse(text).value(); }

/// A listener with one accepted connection, both ends in one worker.
class Connected : public ::testing::Test {
 protected:
  void open(std::string_view where = "127.0.0.1:0") {
    auto made = worker_.network.listen(address_of(where), {}, acceptor_);
    ASSERT_TRUE(made) << made.error().to_string();
    listener_ = std::move(*made);
    dial();
  }
  void dial() {
    const size_t before = acceptor_.ends.size();
    Dialer dialer;
    dialer.operation = worker_.network.connect(listener_->local(), {}, dialer);
    ASSERT_TRUE(worker_.run_until([&] { return dialer.calls > 0 && acceptor_.ends.size() > before; }));
    ASSERT_TRUE(dialer.end) << dialer.error.to_string();
    client_ = std::move(dialer.end);
    server_ = acceptor_.ends.back().get();
  }

  ListenSockets sockets_;
  Worker worker_{sockets_};
  Acceptor acceptor_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<End> client_;
  End* server_ = nullptr;
};

}  // namespace perilune::net
