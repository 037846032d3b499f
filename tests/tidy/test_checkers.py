"""Each checker fails on a tree made for it, and passes the same tree once it is mended."""

import os
import tempfile
import unittest

import floors
import headers
import words

FLOORS = "# comment\n0 base\n1 buffer loop\n2 net\n6 script\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.write("engine/floors.txt", FLOORS)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


class Floors(Tree):
    def findings(self):
        return floors.check(self.root)[0]

    def expect_one(self, *parts):
        found = self.findings()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_lower_floors_own_room_and_libraries_are_allowed(self):
        self.write("engine/base/a.hpp", "#include <vector>\n#include <boost/asio.hpp>\n")
        self.write("engine/net/a.hpp", '#include "base/a.hpp"\n#include "net/b.hpp"\n')
        self.write("engine/net/b.hpp", "#include <sys/socket.h>\n")
        self.write("engine/script/a.cpp", "#include <lua.hpp>\n")
        self.assertEqual(self.findings(), [])

    def test_a_neighbour_is_refused(self):
        self.write("engine/buffer/a.hpp", '\n#include "loop/a.hpp"\n')
        self.expect_one("engine/buffer/a.hpp:2", "loop/a.hpp")

    def test_a_higher_floor_is_refused_in_brackets_too(self):
        self.write("engine/base/a.cpp", "  #  include <net/a.hpp>\n")
        self.expect_one("engine/base/a.cpp:1", "only lower floors")

    def test_an_include_without_its_room_is_refused(self):
        self.write("engine/base/a.cpp", '#include "a.hpp"\n')
        self.expect_one("room/file.hpp")

    def test_a_way_round_over_the_parent_folder_is_refused(self):
        self.write("engine/base/a.cpp", '#include "../net/a.hpp"\n')
        self.expect_one("room/file.hpp")

    def test_a_room_that_is_not_listed(self):
        self.write("engine/attic/a.cpp", "int a;\n")
        self.expect_one("engine/attic: not in engine/floors.txt")

    def test_a_room_listed_twice(self):
        self.write("engine/floors.txt", FLOORS + "7 base\n")
        self.assertIn("base stands on two floors", self.findings()[0])

    def test_notes_are_not_a_room(self):
        self.write("engine/notes/sketch.cpp", '#include "net/a.hpp"\n')
        self.assertEqual(self.findings(), [])

    def test_lua_outside_the_script_room(self):
        self.write("engine/net/a.cpp", "#include <luajit-2.1/lua.hpp>\n")
        self.expect_one("belongs to the room script")

    def test_a_circle_of_headers(self):
        self.write("engine/net/a.hpp", '#include "net/b.hpp"\n')
        self.write("engine/net/b.hpp", '#include "net/c.hpp"\n')
        self.write("engine/net/c.hpp", '#include "net/a.hpp"\n')
        self.expect_one("circle", "net/a.hpp -> net/b.hpp -> net/c.hpp -> net/a.hpp")


class Words(Tree):
    def findings(self):
        return words.check(self.root)[0]

    def test_each_rule_finds_its_word(self):
        # Put together here, so that this file passes the check itself.
        cases = [
            ("README.md", "see /wor" + "k/main/x", "path of one machine"),
            ("engine/base/a.cpp", "// at /ho" + "me/ann/x", "path of one machine"),
            ("Makefile", "# TO" + "DO later", "open promise"),
            ("engine/base/b.cpp", "// good enough for n" + "ow", "open promise"),
            ("engine/base/c.cpp", 'throw Error("not impl' + 'emented");', "open promise"),
            ("tests/unit/base/a_test.cpp", "GTEST_SK" + "IP();", "test switched off"),
            ("tests/unit/base/b_test.cpp", "std::this_thread::sleep_f" + "or(1s);", "sleeping test"),
            ("lua/a.lua", "-- the back" + "end answers", "client or upstream"),
        ]
        for path, text, _ in cases:
            self.write(path, f"first line\n{text}\n")
        found = self.findings()
        for path, _, name in cases:
            self.assertEqual(1, sum(f.startswith(f"{path}:2: ") and name in f for f in found), (path, found))
        self.assertEqual(len(found), len(cases), found)

    def test_what_looks_alike_passes(self):
        self.write("README.md", "https://example.com/work/x and ./work/ and a framework/x and homework\n")
        self.write("tests/bench/haproxy.cfg", "frontend web\n")
        self.write("engine/a.bin", "x\0TO" + "DO")
        self.write("build/a.cpp", "// TO" + "DO")
        self.assertEqual(self.findings(), [])


class Headers(Tree):
    def check(self):
        return headers.check(
            headers.parse(
                [self.root, "--build", self.root + "/build", "--compiler", os.environ.get("CXX", "c++")]
            )
        )

    def test_a_header_that_needs_another_include_before_it(self):
        self.write("engine/base/a.hpp", "inline std::size_t size() { return 1; }\n")
        findings, count = self.check()
        self.assertEqual(count, 1)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn("engine/base/a.hpp: does not compile alone", findings[0])

        self.write("engine/base/a.hpp", "#include <cstddef>\ninline std::size_t size() { return 1; }\n")
        self.assertEqual(self.check(), ([], 1))

    def test_only_a_source_that_includes_it_first_proves_a_header(self):
        self.write("engine/base/a.hpp", "#pragma once\n")
        self.write("engine/base/a.cpp", '#include "base/a.hpp"\n')
        self.assertEqual(headers.unproven(self.root), [])
        self.write("engine/base/a.cpp", '#include <vector>\n#include "base/a.hpp"\n')
        self.assertEqual(headers.unproven(self.root), ["base/a.hpp"])

    def test_flags_that_matter_are_kept(self):
        words_in = "c++ -DX=1 -I/a -isystem /b -O3 -g1 -flto=auto -std=c++20 -Wall -fno-strict-aliasing -o x.o"
        self.assertEqual(
            headers.useful(words_in.split()),
            ["-DX=1", "-I/a", "-isystem", "/b", "-std=c++20", "-Wall", "-fno-strict-aliasing"],
        )


if __name__ == "__main__":
    unittest.main()
