#include "app/status_table.hpp"

#include <gtest/gtest.h>

namespace perilune::app {
namespace {

TEST(StatusTable, TellsPeople) {
  EXPECT_EQ(
      status_table(
          R"({"program":"perilune 1.2.3","pid":7,"state":"serving","startedAt":0,"uptimeSeconds":90061.5,
    "files":["a.lua","b.lua"],"version":3,"reloads":{"ok":2,"failed":1},
    "lastReload":{"ok":false,"version":3,"seconds":0.1,"moving":0,"staying":0,"error":"a.lua:1: no","at":86400},
    "workers":[{"worker":0,"silent":false,"slowTurns":0,"busySeconds":0,"sessions":12,"oldVersions":1,"luaBytes":1048576},
               {"worker":1,"silent":true,"slowTurns":2,"busySeconds":3.25}],
    "listeners":[{"address":"0.0.0.0:8000","open":12,"accepted":340,"refused":0}]})"),
      "perilune 1.2.3, process 7, serving for 1 d 1 h\n"
      "scripts    a.lua b.lua, version 3\n"
      "reloads    2 done, 1 failed\n"
      "the last   1970-01-02 00:00:00Z failed: a.lua:1: no\n"
      "\n"
      "worker  sessions  old versions      Lua  slow turns\n"
      "0             12             1  1.0 MiB           0\n"
      "1                                                 2  silent, busy for 3.2 s\n"
      "\n"
      "listener      open  accepted  refused\n"
      "0.0.0.0:8000    12       340        0\n");
}

TEST(StatusTable, OfAFreshProcess) {
  EXPECT_EQ(
      status_table(
          R"({"program":"perilune 1.2.3","pid":7,"state":"draining","uptimeSeconds":0.5,"files":["a.lua"],
    "version":1,"reloads":{"ok":0,"failed":0},"lastReload":null,"workers":[],"listeners":[]})"),
      "perilune 1.2.3, process 7, draining for 0 s\n"
      "scripts    a.lua, version 1\n"
      "reloads    0 done, 0 failed\n"
      "\n"
      "worker  sessions  old versions  Lua  slow turns\n"
      "\n"
      "no listener\n");
}

TEST(StatusTable, WhereTheOnlyWorkerIsSilentListenersAreNotKnown) {
  const std::string told = status_table(
      R"({"program":"perilune 1.2.3","pid":7,"state":"serving","uptimeSeconds":5,"files":["a.lua"],"version":1,
    "reloads":{"ok":0,"failed":0},"lastReload":null,"listeners":[],
    "workers":[{"worker":0,"silent":true,"slowTurns":0,"busySeconds":3.25}]})");
  EXPECT_TRUE(told.ends_with("\nlisteners are not known: the worker that tells them is silent\n")) << told;
}

TEST(StatusTable, WhatIsNoStatusIsEmpty) {
  EXPECT_EQ(status_table(""), "");
  EXPECT_EQ(status_table("[]"), "");
  EXPECT_EQ(status_table("{}"), "");
}

}  // namespace
}  // namespace perilune::app
