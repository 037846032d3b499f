#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/admin_address.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

namespace perilune::app {

struct RunOptions {
  std::vector<std::string> files;
  /// 0: one per processor that this process may use.
  unsigned workers = 0;
  /// How long SIGTERM waits for open connections.
  Duration drain = 10s;
  /// How long what cannot move keeps a version of the scripts that was replaced.
  Duration old_version_timeout = limits::old_version_timeout;
  /// Reload when a file of the scripts changes.
  bool watches = false;
  /// DNS servers as net::parse_servers takes them; empty: those of the system.
  std::string dns = {};
  /// None: there is no admin address.
  std::optional<AdminAddress> admin = {};
  /// Of the program, for those who ask.
  std::string program_version = {};
};

/// Loads the scripts in every worker and serves until SIGTERM or SIGINT; SIGHUP loads them anew, SIGUSR1
/// has log files opened anew. Returns the process's
/// exit code: 0, or 1 when a script does not load or an address cannot be listened on; then nothing was
/// served.
int run(const RunOptions& options);

enum class Warnings : uint8_t { Say, Fail };
/// Loads the scripts once, opens no port, and says what is wrong, and what is hardly meant. 0; 1 for what is
/// wrong, and for the rest with Warnings::Fail.
int check(const std::vector<std::string>& files, Warnings warnings);

enum class GraphForm : uint8_t { Text, Mermaid, Svg };
/// Prints the pipelines of the scripts. 0 or 1.
int graph(const std::vector<std::string>& files, GraphForm form);

}  // namespace perilune::app
