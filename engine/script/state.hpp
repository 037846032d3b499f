#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "filter/http_client.hpp"
#include "filter/program.hpp"
#include "filter/registry.hpp"

namespace perilune::script {

class AdminHost;
class Interpreter;
class LoadLimit;
class ScriptFiles;
class State;
class LineWatcher;
class TestHost;

struct StateOptions {
  /// The worker's number from 0: tasks with `worker = "one"` run on worker 0 only.
  int worker = 0;
  /// Answers `os.env`; the process's own environment when empty.
  std::function<std::optional<std::string>(std::string_view name)> environment = {};
  /// Where files are read while the script is loaded; the disk when null.
  std::shared_ptr<ScriptFiles> files = {};
  /// The state whose kept values this one finds; only used while it loads. Null: there is none.
  State* before = nullptr;
  /// By which another thread may end the top of the file; null: it may run on.
  std::shared_ptr<LoadLimit> load_limit = {};
  /// Files that stand in front of those on disk, by path: what `require`, `file.read` and `json.load` find.
  std::map<std::string, std::string> given_files = {};
  /// Watches the script run, which is then interpreted and not compiled; null: nobody does.
  LineWatcher* lines = nullptr;
  /// The file is one of tests, and gets `test` and `expect`; null for scripts.
  TestHost* tests = nullptr;
  /// Only for the script that serves the admin address: it has the global `process` (lua/pages.lua).
  AdminHost* admin = nullptr;
};

/// What is alive in a state; all 0 when its pipelines have ended and its tasks are stopped.
struct StateCounts {
  size_t contexts = 0;    // of the engine, with a table
  size_t messages = 0;    // of the engine, held by the script
  size_t coroutines = 0;  // running or waiting
  size_t waits = 0;
  size_t tasks = 0;  // every and after
};

/// For simulated runs: the collectors of Lua states that are made from now on, in this process, work after
/// every so many calls, all at once. Left alone, how far they are depends on LuaJIT's random seed of strings,
/// and with it how long buffers are held and how much is read at a time.
void make_runs_repeatable();

/// One script in one worker: a Lua state of its own with its globals, modules and pipelines. Programs that it
/// loaded must be gone before it; hooks that outlive it fail.
class State {
 public:
  State(filter::Services& services, filter::HttpClient& http, StateOptions options = {});
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Runs the file and everything that it requires, once; nothing but memory is touched: entrances and tasks
  /// are only recorded. Errors (Side::Script): ScriptError with "file:line: sentence" as detail; a script
  /// that asks for nothing at all is one, unless it returns something: then it is a module.
  Result<std::unique_ptr<filter::Program>> load(const std::string& path);
  /// What load was given.
  const std::string& path() const { return path_; }
  /// What in `program`, which it has loaded, is hardly meant; in the order of files and lines.
  std::vector<filter::Warning> warnings(const filter::Program& program) const;
  /// The script serves: starts what `every` and `after` recorded. From now on it has an end to be told of.
  void start_tasks();
  /// A newer version serves: as Tasks::wind_down.
  void wind_down_tasks();
  /// As Tasks::has_begun.
  bool has_begun_tasks() const;
  /// What `reload.keep` has under the name, for another state.
  std::optional<std::string> kept(std::string_view name);
  /// The pages that the script adds to the admin address.
  std::vector<std::string> admin_pages() const;
  /// As AdminPages::run.
  void run_admin_page(const std::string& path, std::string request,
                      std::function<void(Result<std::string>)> answer);
  /// Tells a script that was started (`reload.onUnload`). Cancels tasks and all waiting functions, and
  /// releases what caches still hold. Nothing runs afterwards except hooks that pipelines still ask for.
  void stop();

  /// Lets go of idle coroutines and of Lua's free blocks that nobody needed since the last call; returns the
  /// bytes of the blocks.
  size_t give_back_surplus();
  /// An estimate of the bytes that a collection would free.
  size_t garbage_bytes() const;
  /// Goes on with the collection of garbage for about a millisecond. True when that ended a cycle.
  bool collect_garbage();

  StateCounts alive() const;
  /// Where the running test stands, the innermost place first; for a file of tests.
  std::vector<std::string> waiting_test() const;
  /// The files that were read, for watching them.
  const std::vector<std::string>& files() const;
  /// Bytes in the Lua heap.
  size_t memory_bytes() const;

 private:
  std::unique_ptr<Interpreter> interpreter_;
  std::string path_;
};

}  // namespace perilune::script
