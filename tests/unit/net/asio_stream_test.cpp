#include "net/asio_stream.hpp"

#include <netinet/tcp.h>

#include <gmock/gmock.h>

#include <cstring>

#include "net_support.hpp"

namespace perilune::net {
namespace {

using ::testing::HasSubstr;

class AsioStreamTest : public Connected {
 protected:
  static AsioStream& kernel_stream(End& end) { return static_cast<AsioStream&>(*end.stream); }
  static int option_of(End& end, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    getsockopt(kernel_stream(end).native_handle(), level, name, &value, &size);
    return value;
  }
};

/// Sends a random block again and again, and compares what comes with the same block.
struct Pump : StreamHandler {
  static constexpr size_t block_bytes = 150'001;

  Pump(Stream& s, uint64_t bytes) : stream(s), bytes_left(bytes) {
    Random random(99);
    for (uint8_t& byte : block) byte = static_cast<uint8_t>(random.next());
    stream.set_handler(this);
  }
  void on_readable() override {
    for (;;) {
      const std::array<iovec, 2> room{iovec{in.data(), 70'000},
                                      iovec{in.data() + 70'000, in.size() - 70'000}};
      const Transfer transfer = stream.read(room);
      ended |= transfer.status == Transfer::Status::Ended;
      if (transfer.status != Transfer::Status::Done) return;
      compare(transfer.bytes);
    }
  }
  void compare(size_t count) {
    for (size_t done = 0; done < count;) {
      const size_t at = received % block_bytes;
      const size_t part = std::min(count - done, block_bytes - at);
      is_equal &= std::memcmp(&in[done], &block[at], part) == 0;
      done += part;
      received += part;
    }
  }
  void on_writable() override {
    while (bytes_left > 0) {
      const size_t count = std::min<uint64_t>(block_bytes - from, bytes_left);
      const std::array<iovec, 2> data{iovec{&block[from], count / 2},
                                      iovec{&block[from + count / 2], count - count / 2}};
      const Transfer transfer = stream.write(data);
      if (transfer.status != Transfer::Status::Done) return;
      from = (from + transfer.bytes) % block_bytes;
      bytes_left -= transfer.bytes;
    }
    stream.shutdown_write();
  }

  Stream& stream;
  uint64_t bytes_left;
  std::vector<uint8_t> in = std::vector<uint8_t>(200'000);
  std::vector<uint8_t> block = std::vector<uint8_t>(block_bytes);
  size_t from = 0;
  uint64_t received = 0;
  bool is_equal = true;
  bool ended = false;
};

TEST_F(AsioStreamTest, CarriesAHundredMebibytesEachWay) {
  open();
  constexpr uint64_t bytes = 100 * 1024 * 1024;
  Pump client(*client_->stream, bytes);
  Pump server(*server_->stream, bytes);
  client.on_writable();
  server.on_writable();
  ASSERT_TRUE(worker_.run_until([&] { return client.ended && server.ended; }));
  EXPECT_EQ(client.received, bytes);
  EXPECT_EQ(server.received, bytes);
  EXPECT_TRUE(client.is_equal);
  EXPECT_TRUE(server.is_equal);
}

TEST_F(AsioStreamTest, TellsOfArrivalsOnceAndNeverOfInitialWritability) {
  open();
  for (int turn = 0; turn < 3; ++turn) worker_.loop.run_turn(worker_.driver.now() + 1ms);
  EXPECT_EQ(server_->readable_calls, 0);
  EXPECT_EQ(client_->readable_calls, 0);
  client_->send("one");
  ASSERT_TRUE(worker_.run_until([&] { return server_->received == "one"; }));
  client_->send("two");
  ASSERT_TRUE(worker_.run_until([&] { return server_->received == "onetwo"; }));
  EXPECT_EQ(server_->readable_calls, 2);
  EXPECT_EQ(server_->writable_calls, 0);
  EXPECT_EQ(client_->writable_calls, 0);
}

TEST_F(AsioStreamTest, WhoLeavesBytesUnreadIsNotToldAgain) {
  open();
  server_->reads = false;
  client_->send("kept");
  ASSERT_TRUE(worker_.run_until([&] { return server_->readable_calls == 1; }));
  client_->send(" waiting");
  server_->send("an answer, so that the client has news too");
  ASSERT_TRUE(worker_.run_until([&] { return !client_->received.empty(); }));
  EXPECT_EQ(server_->readable_calls, 1);
  server_->read_all();
  EXPECT_EQ(server_->received, "kept waiting");
  server_->reads = true;
  client_->send("!");
  ASSERT_TRUE(worker_.run_until([&] { return server_->received == "kept waiting!"; }));
}

TEST_F(AsioStreamTest, AnEndThatCameWithDataIsFoundAfterAShortRead) {
  open();
  client_->send("last words");
  client_->stream->shutdown_write();
  ASSERT_TRUE(worker_.run_until([&] { return server_->ended; }));
  EXPECT_EQ(server_->received, "last words");
}

TEST_F(AsioStreamTest, HalfCloseLeavesTheOtherDirectionOpen) {
  open();
  client_->send("request");
  client_->stream->shutdown_write();
  ASSERT_TRUE(worker_.run_until([&] { return server_->ended; }));
  const int calls = server_->readable_calls;
  const std::string answer(8 * 1024 * 1024, 'a');
  server_->send(answer);
  ASSERT_TRUE(worker_.run_until([&] { return client_->received.size() == answer.size(); }));
  EXPECT_FALSE(client_->ended);
  EXPECT_GT(server_->writable_calls, 0);
  EXPECT_EQ(server_->readable_calls, calls) << "room to write is not news about reading";
  server_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return client_->ended; }));
}

TEST_F(AsioStreamTest, AFullSocketBlocksTheWriterUntilThereIsRoom) {
  open();
  server_->reads = false;
  client_->send(std::string(64 * 1024 * 1024, 'x'));
  EXPECT_FALSE(client_->unsent.empty());
  EXPECT_EQ(client_->last_write.status, Transfer::Status::Blocked);
  EXPECT_EQ(client_->writable_calls, 0);
  ASSERT_TRUE(worker_.run_until([&] { return server_->readable_calls == 1; }));
  server_->reads = true;
  server_->read_all();
  ASSERT_TRUE(worker_.run_until([&] { return server_->received.size() == 64 * 1024 * 1024; }));
  EXPECT_GT(client_->writable_calls, 0);
}

TEST_F(AsioStreamTest, ResetOnCloseIsAResetForThePeer) {
  open();
  client_->send("cut");
  ASSERT_TRUE(worker_.run_until([&] { return server_->received == "cut"; }));
  client_->stream->reset_on_close();
  client_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return server_->failed; }));
  EXPECT_FALSE(server_->ended);
  EXPECT_EQ(server_->last.code, ErrorCode::Reset);
  server_->send("too late");
  EXPECT_TRUE(server_->write_failed);
  EXPECT_EQ(server_->last_write.code, ErrorCode::Reset);
}

TEST_F(AsioStreamTest, APlainCloseIsAnEndForThePeer) {
  open();
  client_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return server_->ended; }));
  EXPECT_FALSE(server_->failed);
}

TEST_F(AsioStreamTest, AResetIsToldAlsoToWhoHoldsItsReads) {
  open();
  server_->reads = false;
  client_->send("unread");
  ASSERT_TRUE(worker_.run_until([&] { return server_->readable_calls == 1; }));
  client_->stream->reset_on_close();
  client_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return server_->readable_calls == 2; }));
}

TEST_F(AsioStreamTest, WritingToAClosedPeerFails) {
  open();
  server_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return client_->ended; }));
  ASSERT_TRUE(worker_.run_until([&] {
    client_->send("x");
    return client_->write_failed;
  }));
  EXPECT_EQ(client_->last_write.code, ErrorCode::Reset);
}

TEST_F(AsioStreamTest, AHandlerMayDestroyItsStream) {
  open();
  struct Destroyer : StreamHandler {
    void on_readable() override {
      ++calls;
      stream.reset();
    }
    void on_writable() override { ++calls; }
    std::unique_ptr<Stream> stream;
    int calls = 0;
  } destroyer;
  destroyer.stream = std::move(server_->stream);
  destroyer.stream->set_handler(&destroyer);
  const std::string flood(64 * 1024 * 1024, 'f');
  const iovec data{const_cast<char*>(flood.data()), flood.size()};
  while (destroyer.stream->write({&data, 1}).status == Transfer::Status::Done) {
  }
  client_->reads = false;
  client_->stream->reset_on_close();
  client_->stream.reset();  // news for the reader and for the blocked writer at once
  ASSERT_TRUE(worker_.run_until([&] { return destroyer.calls > 0; }));
  EXPECT_EQ(destroyer.calls, 1);
}

TEST_F(AsioStreamTest, AHandlerMayDestroyAnotherStreamOfTheSameTurn) {
  open();
  auto first = std::move(client_);
  End* first_server = server_;
  dial();
  struct Killer : StreamHandler {
    void on_readable() override {
      ++calls;
      victims.clear();
    }
    void on_writable() override {}
    std::vector<std::unique_ptr<Stream>> victims;
    int calls = 0;
  } killer;
  for (End* end : {first_server, server_}) {
    end->stream->set_handler(&killer);
    killer.victims.push_back(std::move(end->stream));
  }
  first->send("a");
  client_->send("b");
  ASSERT_TRUE(worker_.run_until([&] { return killer.calls > 0 && (first->failed || first->ended); }));
  EXPECT_EQ(killer.calls, 1);
}

TEST_F(AsioStreamTest, KnowsBothAddresses) {
  open();
  EXPECT_EQ(client_->stream->peer(), listener_->local());
  EXPECT_EQ(server_->stream->local(), listener_->local());
  EXPECT_EQ(server_->stream->peer(), client_->stream->local());
  const Address client = client_->stream->local();
  client_->stream->reset_on_close();
  client_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return server_->failed; }));
  EXPECT_EQ(server_->stream->peer(), client) << "also when the peer is gone";
}

TEST_F(AsioStreamTest, SmallWritesLeaveAtOnce) {
  open();
  EXPECT_NE(option_of(*client_, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(option_of(*server_, IPPROTO_TCP, TCP_NODELAY), 0) << "accepted sockets inherit it";
}

TEST_F(AsioStreamTest, WorksOverIp6) {
  open("[::1]:0");
  client_->send("six");
  ASSERT_TRUE(worker_.run_until([&] { return server_->received == "six"; }));
  EXPECT_EQ(server_->stream->peer().kind, Address::Kind::Ip6);
  EXPECT_EQ(server_->stream->peer(), client_->stream->local());
}

TEST_F(AsioStreamTest, WorksOverUnixSockets) {
  const std::string path = ::testing::TempDir() + "perilune-stream.sock";
  open("unix:" + path);
  EXPECT_EQ(client_->stream->peer().to_string(), "unix:" + path);
  EXPECT_EQ(server_->stream->peer().to_string(), "unix:");
  const std::string text(4 * 1024 * 1024, 'u');
  client_->send(text);
  ASSERT_TRUE(worker_.run_until([&] { return server_->received == text; }));
  EXPECT_GT(client_->writable_calls, 0);
  client_->stream.reset();
  ASSERT_TRUE(worker_.run_until([&] { return server_->ended; }));
}

}  // namespace
}  // namespace perilune::net
