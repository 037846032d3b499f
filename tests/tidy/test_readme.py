"""readme_match finds each kind of difference: the real tree passes, and fails after each change made here."""

import pathlib
import shutil
import tempfile
import unittest

import readme_match

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LESSON = "tutorial/03-connection-pool"


class ReadmeMatch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for part in ("engine", "lua", "tutorial", "tests/bench/scripts", "tests/docs"):
            shutil.copytree(ROOT / part, self.root / part)
        for part in ("README.md", "CHANGELOG.md", "LICENSE", "Makefile"):
            shutil.copy(ROOT / part, self.root / part)

    def findings(self):
        return readme_match.check(str(self.root))[0]

    def test_each_difference_is_found(self):
        readme = "README.md"
        cases = [
            (readme, "| `dump(tag)` |", "| `dmup(tag)` |", ["the filter dmup does not exist", "the filter dump is missing"]),
            (readme, "| `route(target, names)` |", "| `route(target)` |", ["route(target) takes (target, names)"]),
            (readme, "| `handleData` | `(data", "| `handelData` | `(data", ["the handler handelData does not exist"]),
            (readme, "| `queue` | 1024 |", "| `queue` | 512 |", ["muxHTTP: the default of queue is 1024, not 512"]),
            (readme, "| `bind` | any |", "| `bound` | any |", ["connect: the option bind is missing"]),
            (readme, "| 414 | `uri-too-long` |", "| 413 | `uri-too-long` |", ["uri-too-long is a 414, not a 413"]),
            (readme, "| `head_fields_max` | 200 |", "| `head_fields_max` | 100 |", ["head_fields_max"]),
            (readme, "`make lint`", "`make lints`", ["make lints does not exist"]),
            (readme, "](CHANGELOG.md)", "](CHANGES.md)", ["there is no CHANGES.md"]),
            (readme, 'pipeline("404")', 'pipeline("405")', ["does not show all of", "this is not in"]),
            (f"{LESSON}/README.md", "```lua main.lua\n", "```lua main.lua\nlocal x = 1\n", ["this is not in", "local x = 1"]),
            (f"{LESSON}/README.md", "```lua main.lua\n", "```lua mian.lua\n", ["says neither a file nor why"]),
            (f"{LESSON}/README.md", "```lua main.lua\n", "```lua not loaded\n", ["says neither a file nor why"]),
            ("tests/bench/scripts/lesson.lua", "lastID = 0", "lastID = 1", ["lesson.lua: differs from"]),
            ("engine/filter/registry.cpp", 'OptionSpec{"backlog",', 'OptionSpec{"log",', ["listen: the option backlog"]),
            ("engine/base/limits.hpp", "drain_bytes_max = 64", "drain_bytes_max = 32", ["drain_bytes_max", "32 KiB"]),
            ("engine/base/error.cpp", '"queue-full", 503', '"queue-full", 429', ["queue-full is a 429, not a 503"]),
        ]
        for path, old, new, parts in cases:
            with self.subTest(path=path, new=new):
                file = self.root / path
                before = file.read_text(encoding="utf-8")
                self.assertIn(old, before)
                file.write_text(before.replace(old, new, 1), encoding="utf-8")
                found = "\n".join(self.findings())
                for part in parts:
                    self.assertIn(part, found)
                file.write_text(before, encoding="utf-8")
        self.assertEqual(self.findings(), [])

    def test_pieces_stand_in_their_order(self):
        whole = "a\nb\nc\nd\n"
        for block in ("a\n", "b\nc\n", "a\n-- ...\nd\n", "-- ...\nb\n  -- ...\nd\n", "a\n-- ...\n"):
            self.assertIsNone(readme_match.missing_piece(block, whole), block)
        for block, first in (("a\nc\n", "a"), ("d\n-- ...\na\n", "a"), ("a\n-- ...\na\n", "a"), ("b\n-- ...\nb\n", "b"),
                             ("ab\n", "ab"), (" a\n", " a"), ("a\nb\nc\nd\ne\n", "a")):
            self.assertEqual(readme_match.missing_piece(block, whole), first, block)


if __name__ == "__main__":
    unittest.main()
