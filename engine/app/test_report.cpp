#include "app/test_report.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace perilune::app {
namespace {

/// What people can read: the other bytes as \x01.
std::string readable(std::string_view text) {
  std::string line;
  for (size_t i = 0; i < text.size();) {
    const size_t size = shown_size(text.substr(i));
    line.append(text, i, size);
    if (size == 0) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[i]));
      line += text[i] == '\t' ? " " : escape;
    }
    i += std::max<size_t>(size, 1);
  }
  return line;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(readable(text.substr(0, end)));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

std::string decimal(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", seconds);
  return text;
}

/// Characters of XML 1.0 (section 2.2), the others as a question mark. What is no UTF-8 is none.
std::string xml(std::string_view text) {
  std::string escaped;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t size = shown_size(text.substr(i));
    const size_t taken = std::max<size_t>(size, 1);
    if (c == '&') escaped += "&amp;";
    else if (c == '<') escaped += "&lt;";
    else if (c == '>') escaped += "&gt;";
    else if (c == '"') escaped += "&quot;";
    else if (c == '\n') escaped += "&#10;";
    else if (size == 0) escaped += c == '\t' ? ' ' : '?';
    else escaped.append(text, i, size);
    i += taken;
  }
  return escaped;
}

}  // namespace

std::vector<std::string> failure_lines(const TrialResult& result) {
  std::vector<std::string> lines = split_lines(result.failure->message);
  if (lines.empty()) lines.push_back("it failed");
  for (size_t i = 0; i < result.failure->places.size(); ++i)
    lines.push_back((i == 0 ? "at " : "called at ") + result.failure->places[i]);
  const auto add_block = [&](const char* title, const std::vector<std::string>& block) {
    if (block.empty()) return;
    lines.emplace_back(title);
    for (const std::string& line : block) lines.push_back("  " + readable(line));
  };
  add_block("what passed through the script:", result.trace);
  add_block("log:", split_lines(result.log));
  return lines;
}

void TestReport::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void TestReport::begin() {
  if (!std::exchange(has_begun_, true) && format_ == TestFormat::Tap) write("TAP version 13\n");
}

void TestReport::begin_file(const std::string& file) {
  begin();
  if (format_ == TestFormat::Text) write(file + "\n");
  if (format_ == TestFormat::Tap) write("# " + file + "\n");
}

void TestReport::add(const TestRecord& record) {
  ++(record.failure.empty() ? passed_ : failed_);
  if (format_ == TestFormat::Text) add_text(record);
  else if (format_ == TestFormat::Tap) add_tap(record);
  else records_.push_back(record);
}

void TestReport::add_text(const TestRecord& record) {
  std::string text = record.failure.empty() ? "  ok    " : "  FAIL  ";
  text += record.name + (record.note.empty() ? "" : ": " + record.note) + "\n";
  for (const std::string& line : record.failure) text += "        " + line + "\n";
  write(text);
}

void TestReport::add_tap(const TestRecord& record) {
  // A # would begin a directive.
  std::string name = record.file + ": " + record.name;
  for (size_t at = name.find('#'); at != std::string::npos; at = name.find('#', at + 2))
    name.insert(at, "\\");
  std::string text = record.failure.empty() ? "ok " : "not ok ";
  text += std::to_string(passed_ + failed_) + " - " + name + "\n";
  if (!record.failure.empty()) {
    text += "  ---\n  message: |\n";
    for (const std::string& line : record.failure) text += "    " + line + "\n";
    text += "  ...\n";
  }
  write(text);
}

void TestReport::write_junit() {
  const std::string sums =
      " tests=\"" + std::to_string(passed_ + failed_) + "\" failures=\"" + std::to_string(failed_) + "\"";
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + sums + ">\n";
  for (size_t first = 0; first < records_.size();) {
    size_t end = first, failed = 0;
    double seconds = 0;
    for (; end < records_.size() && records_[end].file == records_[first].file; ++end) {
      failed += !records_[end].failure.empty();
      seconds += records_[end].seconds;
    }
    const std::string file = xml(records_[first].file);
    text += "  <testsuite name=\"" + file + "\" tests=\"" + std::to_string(end - first) + "\" failures=\"" +
            std::to_string(failed) + "\" time=\"" + decimal(seconds) + "\">\n";
    for (; first < end; ++first) {
      const TestRecord& record = records_[first];
      text += "    <testcase classname=\"" + file + "\" name=\"" + xml(record.name) + "\" time=\"" +
              decimal(record.seconds) + "\"";
      if (record.failure.empty()) {
        text += "/>\n";
        continue;
      }
      text += ">\n      <failure message=\"" + xml(record.failure.front()) + "\">";
      for (const std::string& line : record.failure) text += xml(line) + "\n";
      text += "</failure>\n    </testcase>\n";
    }
    text += "  </testsuite>\n";
  }
  write(text + "</testsuites>\n");
}

void TestReport::finish() {
  begin();
  const std::string all = std::to_string(passed_ + failed_);
  if (format_ == TestFormat::JUnit) write_junit();
  else if (format_ == TestFormat::Tap) write("1.." + all + "\n");
  else write(std::to_string(passed_) + " passed, " + std::to_string(failed_) + " failed\n");
}

}  // namespace perilune::app
