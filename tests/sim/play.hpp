#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/worker.hpp"
#include "base/log.hpp"
#include "script/state.hpp"
#include "sim/network.hpp"
#include "sim/peer.hpp"

namespace perilune::tests {

inline net::Address address_of(std::string_view text) { return net::Address::parse(text).value(); }

/// What the proxy is still holding, in words; empty when nothing is alive.
inline std::string alive_in(const app::Worker& worker) {
  std::string text;
  const auto add = [&](std::string_view what, size_t count) {
    if (count > 0) text.append(std::to_string(count)).append(" ").append(what).append("; ");
  };
  add("sessions", worker.sessions());
  add("old versions", worker.old_versions());
  for (const auto& program : worker.programs())
    for (const auto& plan : program->pipelines)
      add("pipelines of \"" + plan->name() + "\" at " + plan->place().to_string(), plan->alive());
  for (const auto& state : worker.states()) {
    const script::StateCounts counts = state->alive();
    add("contexts", counts.contexts);
    add("messages", counts.messages);
    add("coroutines", counts.coroutines);
    add("waits", counts.waits);
  }
  return text;
}

/// A folder for the script of one test, gone with it.
class ScriptFolder {
 public:
  ScriptFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "perilune-sim-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ScriptFolder(const ScriptFolder&) = delete;
  ScriptFolder& operator=(const ScriptFolder&) = delete;
  ~ScriptFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string write(std::string_view text, std::string_view name = "main.lua") const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

/// Log lines of the process while this exists.
class CapturedLog {
 public:
  CapturedLog() {
    log::capture([this](std::string_view line) { text += std::string(line) + "\n"; });
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() { log::capture(nullptr); }
  bool has(std::string_view what) const { return text.find(what) != std::string::npos; }
  std::string text;
};

/// A message as it is on the wire, cut out of a stream by the rules of RFC 9112 section 6.3 in their
/// strictest form.
struct WireMessage {
  std::string head;  // with the empty line
  std::string body;
  bool is_complete = false;
  bool is_until_close = false;
  size_t bytes = 0;  // of the stream that it took

  int status() const { return head.starts_with("HTTP/1.") ? std::atoi(head.c_str() + 9) : 0; }
  std::string field(std::string_view name) const {
    for (size_t line = head.find("\r\n"); line != std::string::npos; line = head.find("\r\n", line + 2)) {
      const size_t begin = line + 2;
      if (begin + name.size() >= head.size() || head[begin + name.size()] != ':') continue;
      bool is_equal = true;
      for (size_t i = 0; i < name.size(); ++i)
        is_equal = is_equal && (head[begin + i] | 32) == (name[i] | 32);
      if (!is_equal) continue;
      size_t value = begin + name.size() + 1;
      while (head[value] == ' ') ++value;
      return head.substr(value, head.find("\r\n", value) - value);
    }
    return {};
  }
};

enum class WireKind { Request, Response, ResponseToHead };

/// Takes the message that begins `stream`; what is there of it. `has_ended`: nothing more comes. Throws on
/// bytes that are no HTTP.
inline WireMessage take_message(std::string_view stream, WireKind kind, bool has_ended) {
  WireMessage message;
  const size_t head_end = stream.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return message;
  message.head = stream.substr(0, head_end + 4);
  message.bytes = message.head.size();
  std::string_view rest = stream.substr(message.bytes);
  const int status = message.status();
  const bool is_request = kind == WireKind::Request;
  if (!is_request && status < 100) throw std::runtime_error("no response: " + message.head);
  const bool is_bodiless =
      kind == WireKind::ResponseToHead || (!is_request && (status < 200 || status == 204 || status == 304));
  const std::string length = message.field("content-length");
  if (is_bodiless) {
    message.is_complete = true;
  } else if (message.field("transfer-encoding") == "chunked") {
    for (;;) {
      const size_t line = rest.find("\r\n");
      if (line == std::string_view::npos) return message;
      char* end = nullptr;
      const std::string digits(rest.substr(0, line));
      const size_t size = std::strtoul(digits.c_str(), &end, 16);
      if (end == digits.c_str() || (*end != 0 && *end != ';'))
        throw std::runtime_error("no chunk: " + digits);
      if (size == 0) {
        // Trailers, if there are any, end with an empty line.
        const size_t last = rest.find("\r\n\r\n", line);
        const size_t after = rest.substr(line + 2, 2) == "\r\n" ? line + 4
                             : last == std::string_view::npos   ? 0
                                                                : last + 4;
        if (after == 0) return message;
        message.bytes += after;
        message.is_complete = true;
        return message;
      }
      message.body += rest.substr(line + 2, size);
      if (rest.size() < line + 2 + size + 2) return message;
      if (rest.substr(line + 2 + size, 2) != "\r\n") throw std::runtime_error("a chunk does not end");
      message.bytes += line + size + 4;
      rest.remove_prefix(line + size + 4);
    }
  } else if (!length.empty()) {
    const size_t size = std::strtoul(length.c_str(), nullptr, 10);
    message.body = rest.substr(0, size);
    message.bytes += message.body.size();
    message.is_complete = message.body.size() == size;
  } else if (is_request) {
    message.is_complete = true;
  } else {
    message.is_until_close = true;
    message.body = rest;
    message.bytes += rest.size();
    message.is_complete = has_ended;
  }
  return message;
}

/// One proxy in a world of its own: `engine` is the worker that runs it, `outside` everybody else.
class Play {
 public:
  explicit Play(uint64_t seed = 1, const sim::SimFaults& faults = {})
      : world(seed, faults), engine(world), outside(world, sim::SimProcess::Outside) {
    script::make_runs_repeatable();
  }
  Play(const Play&) = delete;
  Play& operator=(const Play&) = delete;

  /// Loads the script and starts it.
  void start(std::string_view script) { start_file(folder_.write(script)); }
  void start_file(const std::string& file) {
    worker = std::make_unique<app::Worker>(engine.loop, engine.network, 0, shared);
    if (const auto loaded = worker->load({file}); loaded.has_error()) FAIL() << loaded.error().detail;
    if (const auto listening = worker->listen(); listening.has_error()) FAIL() << listening.error().detail;
    worker->start();
  }
  /// Has a new version of the script take over. What was wrong with it; empty: it did.
  std::string reload(std::string_view script) { return reload_file(folder_.write(script)); }
  std::string reload_file(const std::string& file) {
    if (const auto loaded = worker->load({file}); loaded.has_error()) return loaded.error().detail;
    if (const auto listening = worker->listen(); listening.has_error()) return listening.error().detail;
    departures = worker->start();
    return {};
  }

  /// The proxy has nothing to do any more: then nothing may be alive in it. Everything outside must be gone
  /// or idle.
  std::string settle(Duration patience = 10min) {
    world.run_until([&] { return alive_in(*worker).empty(); }, world.now() + patience);
    return alive_in(*worker);
  }
  /// Stops the proxy, in whatever state it is, and says what it left behind.
  std::string stop() {
    worker->stop();
    world.run_for(5s);
    std::string left;
    if (const size_t chunks = worker->chunks().alive()) left += std::to_string(chunks) + " chunks; ";
    worker.reset();
    return left;
  }

  edge::ConnectionCounts counts;
  app::WorkerShared shared{nullptr, &counts};
  /// Of the last reload.
  edge::Departures departures;
  sim::SimWorld world;
  sim::SimWorker engine;
  sim::SimWorker outside;
  std::unique_ptr<app::Worker> worker;

 private:
  ScriptFolder folder_;
};

}  // namespace perilune::tests
