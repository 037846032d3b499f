#include "flow/access_log.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace perilune::flow {
namespace {

constexpr Duration flush_delay = 100ms;
constexpr size_t flush_bytes = 16 * 1024;

using Month = const char*;
constexpr std::array<Month, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr std::string_view digits = "0123456789abcdef";

std::string_view version_text(message::Version version) {
  return version == message::Version::Http10 ? "HTTP/1.0" : "HTTP/1.1";
}

void append_number(std::string& line, uint64_t number) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  line.append(text, end);
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

std::string_view cut(std::string_view text) { return text.substr(0, limits::access_field_bytes_max); }

/// As Apache and others do it: \" \\ \xHH.
void append_escaped(std::string& line, std::string_view text) {
  for (const char c : cut(text)) {
    if (is_plain(c)) {
      line += c;
    } else if (c == '"' || c == '\\') {
      line.append({'\\', c});
    } else {
      const auto byte = static_cast<unsigned char>(c);
      line.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
    }
  }
}

void append_member(std::string& line, std::string_view name, std::string_view value) {
  line.append(",\"").append(name).append("\":");
  append_json_text(line, cut(value));
}

}  // namespace

AccessLog::AccessLog(AccessFormat format, loop::Loop& loop, LineSink& sink)
    : format_(format), loop_(loop), sink_(sink) {}

AccessLog::~AccessLog() {
  timer_.disarm();
  flush();
}

void AccessLog::note_time() {
  const double now = loop_.driver().wall_seconds();
  const auto second = static_cast<int64_t>(now);
  millisecond_ = static_cast<int>((now - static_cast<double>(second)) * 1000);
  if (second == second_) return;
  second_ = second;
  const std::time_t seconds = second;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  int size = 0;
  if (format_ == AccessFormat::Json)
    size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900,
                         parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  else
    size = std::snprintf(text.data(), text.size(), " - - [%02d/%s/%04d:%02d:%02d:%02d +0000] \"",
                         parts.tm_mday, months[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900,
                         parts.tm_hour, parts.tm_min, parts.tm_sec);
  time_.assign(text.data(), static_cast<size_t>(size));
}

AccessLog::Record* AccessLog::begin(std::string_view client_ip, const message::RequestHead* request) {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Record>());
    free_.push_back(all_.back().get());
  }
  Record& record = *free_.back();
  free_.pop_back();
  record.begin_.clear();
  record.end_.clear();
  record.status = 0;
  record.body_bytes = 0;
  record.failure = {};
  record.started_ = loop_.now();
  note_time();
  if (format_ == AccessFormat::Json) begin_json(record, client_ip, request);
  else begin_text(record, client_ip, request);
  return &record;
}

void AccessLog::begin_text(Record& record, std::string_view client_ip, const message::RequestHead* request) {
  std::string& line = record.begin_;
  line.append(client_ip.empty() ? "unix:" : client_ip).append(time_);
  if (request) {
    append_escaped(line, request->method);
    line += ' ';
    append_escaped(line, request->path);
    line.append(" ").append(version_text(request->version));
  } else {
    line += '-';
  }
  line += "\" ";
  if (format_ != AccessFormat::Combined) return;
  for (const std::string_view name : {"referer", "user-agent"}) {
    record.end_ += " \"";
    append_escaped(record.end_, request ? request->headers.find(name).value_or("-") : "-");
    record.end_ += '"';
  }
}

void AccessLog::begin_json(Record& record, std::string_view client_ip, const message::RequestHead* request) {
  std::string& line = record.begin_;
  line.append("{\"time\":\"").append(time_).append(".");
  line.append({digits[static_cast<size_t>(millisecond_ / 100 % 10)],
               digits[static_cast<size_t>(millisecond_ / 10 % 10)],
               digits[static_cast<size_t>(millisecond_ % 10)], 'Z', '"'});
  append_member(line, "client", client_ip.empty() ? "unix:" : client_ip);
  if (!request) return;
  if (const auto host = request->headers.find(message::Name::Host)) append_member(line, "host", *host);
  append_member(line, "method", request->method);
  append_member(line, "path", request->path);
  append_member(line, "protocol", version_text(request->version));
  if (const auto referer = request->headers.find("referer")) append_member(line, "referer", *referer);
  if (const auto agent = request->headers.find("user-agent")) append_member(line, "agent", *agent);
}

void AccessLog::end(Record* record, std::string_view upstream) {
  if (lines_.empty()) loop_.arm(timer_, flush_delay);
  lines_ += record->begin_;
  if (format_ == AccessFormat::Json) {
    if (record->status > 0)
      append_number(lines_.append(",\"status\":"), static_cast<uint64_t>(record->status));
    append_number(lines_.append(",\"bytes\":"), record->body_bytes);
    std::array<char, 32> seconds{};
    const int size =
        std::snprintf(seconds.data(), seconds.size(), "%.6f", to_seconds(loop_.now() - record->started_));
    lines_.append(",\"seconds\":").append(seconds.data(), static_cast<size_t>(size));
    if (!upstream.empty()) append_member(lines_, "upstream", upstream);
    if (!record->failure.empty()) append_member(lines_, "error", record->failure);
    lines_ += "}\n";
  } else {
    if (record->status > 0) append_number(lines_, static_cast<uint64_t>(record->status));
    else lines_ += '-';
    lines_ += ' ';
    if (record->body_bytes > 0) append_number(lines_, record->body_bytes);
    else lines_ += '-';
    lines_.append(record->end_) += '\n';
  }
  free_.push_back(record);
  if (lines_.size() >= flush_bytes) flush();
}

void AccessLog::flush() {
  timer_.disarm();
  if (lines_.empty()) return;
  sink_.write(lines_);
  lines_.clear();
}

}  // namespace perilune::flow
