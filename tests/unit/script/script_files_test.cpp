#include "script/script_files.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace perilune::script {
namespace {

class ScriptFilesTest : public ::testing::Test {
 protected:
  ScriptFilesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "perilune-files-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ScriptFilesTest() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  std::filesystem::path folder_;
  ScriptFiles files;
};

TEST_F(ScriptFilesTest, AFileStaysAsItWasWhenItWasFirstRead) {
  const std::string path = write("a", "one");
  EXPECT_EQ(files.read(path, 100).value(), "one");
  write("a", "two");
  EXPECT_EQ(files.read(path, 100).value(), "one");
  std::filesystem::remove(path);
  EXPECT_EQ(files.read(path, 100).value(), "one");
}

TEST_F(ScriptFilesTest, ABoundHoldsForWhatIsKeptToo) {
  const std::string path = write("a", "12345");
  EXPECT_EQ(files.read(path, 5).value(), "12345");
  ASSERT_TRUE(files.read(path, 4).has_error());
  EXPECT_NE(files.read(path, 4).error().detail.find("larger than 4 bytes"), std::string::npos);
}

TEST_F(ScriptFilesTest, WhatIsNotThereIsListedToo) {
  const std::string there = write("a", "x");
  const std::string missing = (folder_ / "b").string();
  EXPECT_TRUE(files.read(there, 100).has_value());
  EXPECT_TRUE(files.read(missing, 100).has_error());
  write("b", "late");
  EXPECT_TRUE(files.read(missing, 100).has_error());
  EXPECT_EQ(files.paths(), (std::vector<std::string>{there, missing}));
}

TEST_F(ScriptFilesTest, ClosedItKeepsTheNamesAndReadsTheDisk) {
  const std::string path = write("a", "one");
  EXPECT_TRUE(files.read(path, 100).has_value());
  files.close();
  write("a", "two");
  EXPECT_EQ(files.read(path, 100).value(), "two");
  EXPECT_EQ(files.paths(), std::vector<std::string>{path});
  files.close();
  EXPECT_EQ(files.paths(), std::vector<std::string>{path});
}

}  // namespace
}  // namespace perilune::script
