#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/line_writer.hpp"
#include "base/time.hpp"
#include "loop/loop.hpp"
#include "message/head.hpp"

namespace perilune::flow {

/// The forms of a line.
///   Common:   203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] "GET /a?b HTTP/1.1" 200 128
///   Combined: the same, and "referer" "user-agent" behind it
///   Json:     {"time":"2026-11-21T08:49:37.123Z","client":"203.0.113.7","method":"GET","path":"/a?b",…}
enum class AccessFormat : uint8_t { Common, Combined, Json };

/// One line for each exchange: what came by wire, and what went back. Nothing from outside can end a line or
/// a quoted text: quotes, backslashes and control bytes are escaped (in Common and Combined every byte above
/// ASCII too; in Json what is no UTF-8 as if it were Latin-1), and texts are cut at
/// limits::access_field_bytes_max. Lines are handed to the sink a few times a second, or when many are there.
class AccessLog {
 public:
  /// An exchange that is going on.
  struct Record {
    int status = 0;            // 0: nothing was answered
    uint64_t body_bytes = 0;   // sent to the client
    std::string_view failure;  // a code_name, or empty

   private:
    friend class AccessLog;
    std::string begin_;  // of the line, up to the status
    std::string end_;    // behind the bytes
    Instant started_{};
  };

  AccessLog(AccessFormat format, loop::Loop& loop, LineSink& sink);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// An exchange begins, with its head as received; null where that could not be read. Every record is to be
  /// ended.
  Record* begin(std::string_view client_ip, const message::RequestHead* request);
  /// It is over: its line is written. `upstream` is where the answer came from, or empty.
  void end(Record* record, std::string_view upstream);
  /// Gives the sink what there is.
  void flush();

 private:
  void note_time();
  void begin_text(Record& record, std::string_view client_ip, const message::RequestHead* request);
  void begin_json(Record& record, std::string_view client_ip, const message::RequestHead* request);

  const AccessFormat format_;
  loop::Loop& loop_;
  LineSink& sink_;
  std::string lines_;
  std::vector<std::unique_ptr<Record>> all_;
  std::vector<Record*> free_;
  int64_t second_ = -1;
  int millisecond_ = 0;
  std::string time_;  // of this second
  loop::MemberTimer<AccessLog, &AccessLog::flush> timer_{*this};
};

}  // namespace perilune::flow
