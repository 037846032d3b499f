#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/descriptor.hpp"

/// dnsmasq of Debian as a name server on the loopback interface, for tests on real sockets. It knows the zone
/// that the test gives it, in the words of its command line, and a hosts file that may change; of any other
/// name it says that there is none. It ends with this object.
namespace perilune::net {

class Dnsmasq {
 public:
  explicit Dnsmasq(std::vector<std::string> zone) : zone_(std::move(zone)) {
    std::string name = (std::filesystem::temp_directory_path() / "perilune-dns-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    set_hosts("");
    // Another process may take the port before dnsmasq does.
    for (int tries = 0; tries < 10 && pid_ == 0; ++tries) {
      port_ = free_port();
      start();
    }
    EXPECT_NE(pid_, 0) << "no dnsmasq (tests/support/install-packages test installs it):\n" << said_;
  }
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;
  ~Dnsmasq() {
    stop();
    std::filesystem::remove_all(folder_);
  }

  std::string servers() const { return "127.0.0.1:" + std::to_string(port_); }

  /// "10.0.0.1 api.test\n…": as a hosts file; counts from the next reload.
  void set_hosts(const std::string& text) { std::ofstream(folder_ + "/hosts") << text; }
  void reload() {
    kill(pid_, SIGHUP);
    EXPECT_TRUE(wait_for("/hosts - ")) << said_;
  }
  /// Begins again with another zone, on the same port.
  void restart(std::vector<std::string> zone) {
    stop();
    zone_ = std::move(zone);
    start();
    EXPECT_NE(pid_, 0) << said_;
  }
  /// Questions get no answer, and wait, until it wakes.
  void freeze() { kill(pid_, SIGSTOP); }
  void thaw() { kill(pid_, SIGCONT); }
  void stop() {
    if (pid_ == 0) return;
    kill(-pid_, SIGKILL);  // with those of its children that serve TCP
    waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  static constexpr int patience_ms = 20000;

  static uint16_t free_port() {
    const Descriptor probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size);
    getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  void start() {
    const passwd* me = getpwuid(geteuid());
    const group* mine = getgrgid(getegid());
    // With --no-daemon it would serve one TCP connection at a time, and nothing else meanwhile. It ends with
    // this process, also when that crashes; another user or group would take that from it.
    std::vector<std::string> words{"/usr/bin/setpriv",
                                   "--pdeathsig=KILL",
                                   "/usr/sbin/dnsmasq",  // not on every user's path
                                   "--keep-in-foreground",
                                   "--log-facility=-",
                                   "--conf-file=/dev/null",
                                   "--no-resolv",
                                   "--no-hosts",
                                   "--local=/#/",
                                   "--listen-address=127.0.0.1",
                                   "--bind-interfaces",
                                   "--pid-file=",
                                   "--port=" + std::to_string(port_),
                                   "--addn-hosts=" + folder_ + "/hosts",
                                   std::string("--user=") + (me ? me->pw_name : "root"),
                                   std::string("--group=") + (mine ? mine->gr_name : "root")};
    words.insert(words.end(), zone_.begin(), zone_.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    output_ = Descriptor(ends[0]);
    Descriptor write_end(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
    pid_t pid = 0;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t group_of_its_own;
    posix_spawnattr_init(&group_of_its_own);
    posix_spawnattr_setflags(&group_of_its_own, POSIX_SPAWN_SETPGROUP);
    const int failed =
        posix_spawn(&pid, arguments[0], &actions, &group_of_its_own, arguments.data(), environ);
    posix_spawnattr_destroy(&group_of_its_own);
    posix_spawn_file_actions_destroy(&actions);
    ASSERT_EQ(failed, 0);
    pid_ = pid;
    said_.clear();
    write_end.close();  // so that the pipe ends with dnsmasq
    if (!wait_for("started, version") || !wait_for("/hosts - ")) stop();
  }

  /// Reads what dnsmasq says until `text` comes; what came before is forgotten.
  bool wait_for(std::string_view text) {
    for (;;) {
      if (const size_t at = said_.find(text); at != std::string::npos) {
        said_.erase(0, at + text.size());
        return true;
      }
      pollfd waiting{output_.get(), POLLIN, 0};
      if (poll(&waiting, 1, patience_ms) <= 0) return false;
      std::array<char, 4096> room;
      const ssize_t count = read(output_.get(), room.data(), room.size());
      if (count <= 0) return false;
      said_.append(room.data(), static_cast<size_t>(count));
    }
  }

  std::vector<std::string> zone_;
  std::string folder_;
  uint16_t port_ = 0;
  pid_t pid_ = 0;
  Descriptor output_;
  std::string said_;
};

}  // namespace perilune::net
