#pragma once

#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/time.hpp"

namespace perilune::app {

struct RunOptions {
  std::vector<std::string> files;
  /// 0: one per processor that this process may use.
  unsigned workers = 0;
  /// How long SIGTERM waits for open connections.
  Duration drain = 10s;
  /// DNS servers as net::parse_servers takes them; empty: those of the system.
  std::string dns = {};
};

/// Loads the scripts in every worker and serves until SIGTERM or SIGINT. Returns the process's exit code: 0, or 1 when
/// a script does not load or an address cannot be listened on; then nothing was served.
int run(const RunOptions& options);

enum class Warnings : uint8_t { Say, Fail };
/// Loads the scripts once, opens no port, and says what is wrong, and what is hardly meant. 0; 1 for what is wrong, and
/// for the rest with Warnings::Fail.
int check(const std::vector<std::string>& files, Warnings warnings);

enum class GraphForm : uint8_t { Text, Mermaid };
/// Prints the pipelines of the scripts. 0 or 1.
int graph(const std::vector<std::string>& files, GraphForm form);

}  // namespace perilune::app
