#include "base/line_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/limits.hpp"
#include "base/log.hpp"

namespace perilune {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class LineWriterTest : public testing::Test {
 protected:
  LineWriterTest() {
    char name[] = "/tmp/plXXXXXX";
    folder = mkdtemp(name);
  }
  ~LineWriterTest() override { std::filesystem::remove_all(folder); }
  std::string folder;
};

TEST_F(LineWriterTest, WritesAllBeforeItEnds) {
  std::string expected;
  {
    LineWriter writer;
    LineSink* sink = *writer.open(folder + "/a.log");
    for (int i = 0; i < 5000; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      expected += line;
      sink->write(line);
    }
  }
  EXPECT_EQ(content(folder + "/a.log"), expected);
}

TEST_F(LineWriterTest, AFileIsOpenedOnceAndAppendedTo) {
  std::ofstream(folder + "/a.log") << "before\n";
  {
    LineWriter writer;
    LineSink* sink = *writer.open(folder + "/a.log");
    EXPECT_EQ(*writer.open(folder + "/a.log"), sink);
    EXPECT_NE(*writer.open(folder + "/b.log"), sink);
    sink->write("after\n");
  }
  EXPECT_EQ(content(folder + "/a.log"), "before\nafter\n");
}

TEST_F(LineWriterTest, SaysWhatCannotBeOpened) {
  LineWriter writer;
  EXPECT_EQ(writer.open(folder + "/none/a.log").error().detail,
            folder + "/none/a.log: No such file or directory");
}

TEST_F(LineWriterTest, ARenamedFileIsMadeAnew) {
  const std::string path = folder + "/a.log";
  LineWriter writer;
  LineSink* sink = *writer.open(path);
  std::filesystem::rename(path, folder + "/a.log.1");
  // It looks once a second; the lines until then are in the old file.
  for (int i = 0; i < 400 && !std::filesystem::exists(path); ++i) {
    sink->write("x\n");
    ::poll(nullptr, 0, 10);
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(LineWriterTest, ReopensWithoutALineToWrite) {
  const std::string path = folder + "/a.log";
  LineWriter writer;
  LineSink* sink = *writer.open(path);
  sink->write("old\n");
  for (int i = 0; i < 400 && content(path).empty(); ++i) ::poll(nullptr, 0, 10);
  std::filesystem::rename(path, folder + "/a.log.1");
  writer.reopen();
  for (int i = 0; i < 400 && !std::filesystem::exists(path); ++i) ::poll(nullptr, 0, 10);
  sink->write("new\n");
  for (int i = 0; i < 400 && content(path).empty(); ++i) ::poll(nullptr, 0, 10);
  EXPECT_EQ(content(path), "new\n");
  EXPECT_EQ(content(folder + "/a.log.1"), "old\n");
}

TEST_F(LineWriterTest, WhoReadsNothingHoldsNobodyUp) {
  const std::string path = folder + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  std::string warned;
  log::capture([&](std::string_view line) { warned += line; });
  {
    LineWriter writer(1ms);
    LineSink* sink = *writer.open(path);
    std::string lines(2048, 'x');
    lines[1023] = lines[2047] = '\n';
    const size_t count = limits::line_bytes_max / lines.size() + 1000;
    for (size_t i = 0; i < count; ++i) sink->write(lines);
  }
  log::capture(nullptr);
  ::close(reader);
  EXPECT_NE(warned.find(" lines for " + path + " were dropped: it does not take them fast enough"),
            std::string::npos)
      << warned;
}

}  // namespace
}  // namespace perilune
