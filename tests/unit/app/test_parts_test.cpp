#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "app/file_watch.hpp"
#include "app/test_command.hpp"
#include "app/test_coverage.hpp"

namespace perilune::app {
namespace {

TEST(TestCoverage, CountsLinesWithCodeOnly) {
  TestCoverage coverage;
  const int lines[] = {1, 2, 3, 5, 9};
  coverage.add_file("a.lua", lines);
  coverage.add_run("a.lua", 1);
  coverage.add_run("a.lua", 1);
  coverage.add_run("a.lua", 5);
  coverage.add_run("a.lua", 4);
  coverage.add_run("other.lua", 1);
  EXPECT_EQ(coverage.runs("a.lua", 1), 2);
  EXPECT_EQ(coverage.runs("a.lua", 2), 0);
  EXPECT_EQ(coverage.runs("a.lua", 4), -1);
  EXPECT_EQ(coverage.report(), "a.lua  2 of 5 lines, 40 %; missed 2-3, 9\nall    2 of 5 lines, 40 %\n");
  coverage.add_file("a.lua", lines);
  EXPECT_EQ(coverage.runs("a.lua", 1), 2);
}

TEST(TestCoverage, NothingIsAllOfNothing) {
  EXPECT_EQ(TestCoverage().report(), "all  0 of 0 lines, 100 %\n");
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string reported(TestFormat format, const std::vector<TestRecord>& records) {
  const std::unique_ptr<std::FILE, CloseFile> out(std::tmpfile());
  TestReport report(format, out.get());
  if (!records.empty()) report.begin_file(records.front().file);
  for (const TestRecord& record : records) report.add(record);
  report.finish();
  std::string text(static_cast<size_t>(std::ftell(out.get())), '\0');
  std::rewind(out.get());
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), out.get()), text.size());
  return text;
}

const std::vector<TestRecord> records{
    {.file = "a_test.lua", .name = "good", .place = {"a_test.lua", 1}, .seconds = 0.25, .note = "3 seeds"},
    {.file = "a_test.lua",
     .name = "#1 <bad>",
     .place = {"a_test.lua", 2},
     .failure = {"expected \"1\"", "got \x01\xff&"}}};

TEST(TestReport, Text) {
  EXPECT_EQ(
      reported(TestFormat::Text, records),
      "a_test.lua\n  ok    good: 3 seeds\n  FAIL  #1 <bad>\n        expected \"1\"\n        got \x01\xff&\n"
      "1 passed, 1 failed\n");
}

TEST(TestReport, Tap) {
  EXPECT_EQ(reported(TestFormat::Tap, records),
            "TAP version 13\n# a_test.lua\nok 1 - a_test.lua: good\nnot ok 2 - a_test.lua: \\#1 <bad>\n  "
            "---\n  message: |\n"
            "    expected \"1\"\n    got \x01\xff&\n  ...\n1..2\n");
  EXPECT_EQ(reported(TestFormat::Tap, {}), "TAP version 13\n1..0\n");
}

TEST(TestReport, JUnit) {
  EXPECT_EQ(
      reported(TestFormat::JUnit, records),
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"2\" failures=\"1\">\n"
      "  <testsuite name=\"a_test.lua\" tests=\"2\" failures=\"1\" time=\"0.250\">\n"
      "    <testcase classname=\"a_test.lua\" name=\"good\" time=\"0.250\"/>\n"
      "    <testcase classname=\"a_test.lua\" name=\"#1 &lt;bad&gt;\" time=\"0.000\">\n"
      "      <failure message=\"expected &quot;1&quot;\">expected &quot;1&quot;\ngot ??&amp;\n</failure>\n"
      "    </testcase>\n  </testsuite>\n</testsuites>\n");
}

class FileWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "perilune-watch-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  static void write(const std::string& file, const char* text = "text") { std::ofstream(file) << text; }

  std::filesystem::path folder_;
};

TEST_F(FileWatchTest, SeesFilesWrittenReplacedAndNew) {
  write(path("a.lua"));
  FileWatch watch;
  watch.follow({path("a.lua")});
  const auto changes_after = [&](const std::function<void()>& act) {
    act();
    EXPECT_TRUE(watch.wait_for_change());
  };
  changes_after([&] { write(path("a.lua"), "longer text"); });
  changes_after([&] {
    write(path("b"));
    std::filesystem::rename(path("b"), path("a.lua"));
  });
  changes_after([&] { std::filesystem::remove(path("a.lua")); });
  changes_after([&] { write(path("a.lua")); });
}

TEST_F(FileWatchTest, OtherFilesOfTheFolderDoNotCount) {
  write(path("a.lua"));
  FileWatch watch;
  watch.follow({path("a.lua"), path("nowhere/a.lua")});
  write(path("b.lua"));
  EXPECT_FALSE(watch.wait_for_change());
}

TEST(FindTests, APathThatDoesNotExistIsAnError) {
  const auto found = find_tests({"/nowhere/at/all"});
  ASSERT_TRUE(found.has_error());
  EXPECT_EQ(found.error().detail, "/nowhere/at/all: there is no such file or folder");
}

}  // namespace
}  // namespace perilune::app
