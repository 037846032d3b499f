#include "app/command_words.hpp"

#include <gtest/gtest.h>

namespace perilune::app {
namespace {

/// The words behind spell_out, or what is wrong.
std::string told(std::vector<std::string> words) {
  const CommandWords spelled = spell_out(std::move(words));
  if (!spelled.wrong.empty()) return spelled.wrong;
  std::string text;
  for (const std::string& word : spelled.words) text += (text.empty() ? "" : " ") + word;
  return text;
}

TEST(CommandWords, WhatIsShortIsSpelledOut) {
  EXPECT_EQ(told({"a.lua"}), "run a.lua");
  EXPECT_EQ(told({"--workers", "1", "a.lua"}), "run --workers 1 a.lua");
  EXPECT_EQ(told({"/"}), "run /");  // it is there
  EXPECT_EQ(told({"check", "--strict", "a.lua"}), "check --strict a.lua");
  EXPECT_EQ(told({"run", "check"}), "run check");
}

TEST(CommandWords, HelpAndVersion) {
  EXPECT_EQ(told({"help"}), "--help");
  EXPECT_EQ(told({"help", "run"}), "run --help");
  EXPECT_EQ(told({"help", "help"}), "--help");
  EXPECT_EQ(told({"help", "ru"}), "there is no command \"ru\"; did you mean run?");
  EXPECT_EQ(told({"-h", "run"}), "--help");
  for (const char* word : {"version", "-v", "--version"}) EXPECT_EQ(told({word}), "--version");
}

TEST(CommandWords, AWordThatIsNeitherCommandNorFile) {
  EXPECT_EQ(told({"chek", "a.lua"}), "there is no command and no file \"chek\"; did you mean check?");
  EXPECT_EQ(told({"xyzzy"}), "there is no command and no file \"xyzzy\"");
  EXPECT_EQ(told({"none.lua"}), "run none.lua");  // that there is no such file is said where files are read
  EXPECT_EQ(told({}), "there is no command; perilune FILE serves what a script says");
}

TEST(CommandWords, TheCommandComesFirst) {
  EXPECT_EQ(told({"--workers", "1", "check", "a.lua"}),
            "the command comes first: perilune check --workers …");
  EXPECT_EQ(told({"--watch", "run", "a.lua"}), "the command comes first: perilune run --watch …");
}

TEST(CommandWords, FilesThatAreNone) {
  EXPECT_EQ(fault_of_script("nowhere/a.lua"), "there is no file \"nowhere/a.lua\"");
  EXPECT_EQ(fault_of_script("/"), "\"/\" is a folder; name the script in it");
}

}  // namespace
}  // namespace perilune::app
