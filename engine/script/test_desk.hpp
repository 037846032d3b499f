#pragma once

#include <lua.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "script/test_host.hpp"
#include "script/test_server.hpp"

namespace perilune::script {

/// What one file of tests has set up while it runs: upstreams by address, and how the network treats them.
class TestDesk {
 public:
  TestDesk(TestHost& test_host, filter::Services& services) : host(test_host), services_(services) {}
  TestDesk(const TestDesk&) = delete;
  TestDesk& operator=(const TestDesk&) = delete;

  /// The address behind what a test wrote. A name that nobody knows is made known, with an address of its
  /// own. Errors (Side::Script): what is wrong with the text.
  Result<net::Address> locate(std::string_view text);
  /// Serves there, in the place of what was there. Errors: the address is in use.
  Result<void> serve(const net::Address& address, const Place& place, const TestServerHooks& hooks);
  Result<TestRawServer*> serve_raw(const net::Address& address);
  /// How connections to this address fare from now on.
  enum class Fate : uint8_t {
    Good,
    Refuse,     // there is nobody
    BlackHole,  // nothing gets through in either direction; open connections are silent too
    Silent,     // connections are made, and nobody reads or writes
    Reset,      // as soon as the upstream sends a byte
    Cut,        // after so many bytes of the upstream
  };
  void set_fate(const net::Address& address, Fate fate, uint64_t bytes = 0);
  /// Every fault that there is, drawn from the world's seed, between everybody, and good weather for all.
  void begin_chaos();
  void end_chaos();

  /// Closes everything.
  void stop();

  TestHost& host;
  /// The thread in which the test runs, while it does, and what keeps it.
  lua_State* thread = nullptr;
  int thread_reference = LUA_NOREF;

 private:
  void take_down(const net::Address& address);
  Result<void> put_up(const net::Address& address, std::unique_ptr<TestServer> server,
                      const Result<void>& listening);

  filter::Services& services_;
  std::map<std::string, std::unique_ptr<TestServer>> servers_;
  std::vector<std::unique_ptr<TestServer>> closed_;  // until what they had is over
  std::map<std::string, net::Address> served_;
  uint32_t names_ = 0;
};

}  // namespace perilune::script
