"""What people get wrong in scripts is told with file:line, what was wrong, and what to write instead.

The table is mistakes.py: what `check` refuses, what it warns of, and what a request finds. mistakes.md has the whole
messages, to be read; `mistakes_told.py --show >tests/docs/mistakes.md` writes it anew.
"""

import concurrent.futures
import http.client
import pathlib
import re
import socket
import sys
import tempfile
import unittest

import mistakes
import program

PAGE = pathlib.Path(__file__).resolve().parent / "mistakes.md"


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=program.PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(program.PATIENCE)
        self.sock.connect(self.path)


def checked(case):
    """(exit code, standard output, what is said)"""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "plugins.lua").write_text("return {}\n", encoding="utf-8")
        (folder / "silent.lua").write_text("local x = 1\n", encoding="utf-8")
        (folder / "broken.lua").write_text("return {\n  1 2\n}\n", encoding="utf-8")
        (folder / "proxy.lua").write_text(case.script, encoding="utf-8")
        done = program.run("check", "proxy.lua", folder=folder)
        return done.returncode, done.stdout, done.stderr


# The log writes so many records of one kind in a moment; more would be counted only.
AT_A_TIME = 5


def told(cases):
    """What the log says of each of these when a request comes: (status, message)."""
    return [row for at in range(0, len(cases), AT_A_TIME) for row in told_together(cases[at:at + AT_A_TIME])]


def told_together(cases):
    """The same of few, side by side in one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files, results = [], []
        for number, case in enumerate(cases):
            (folder / str(number)).mkdir()
            script = case.script.replace("SOCKET2", f"unix:{number}/t").replace("SOCKET", f"unix:{number}/s")
            files.append(f"{number}/proxy.lua")
            (folder / files[-1]).write_text(script, encoding="utf-8")
        with program.Running(folder, *files) as proxy:
            for number, case in enumerate(cases):
                client = Unix(str(folder / str(number) / ("t" if "SOCKET2" in case.script else "s")))
                client.request("GET", "/")
                results.append(client.getresponse().status)
                client.close()
        log = "".join(proxy.log)
    # The first line of each record; a traceback may follow.
    found = [re.search(rf"^\d.*? {number}/(proxy\.lua:\d+: .*)$", log, re.M) for number in range(len(cases))]
    return [(status, match[1] if match else "") for status, match in zip(results, found)]


def all_checked(cases):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(checked, cases))


class Told(unittest.TestCase):
    def assert_says(self, case, message):
        self.assertTrue(message.startswith(case.place + ": "), f"{case.place} is not in front of: {message!r}")
        at = 0
        for part in case.says:
            at = message.find(part, at)
            self.assertGreaterEqual(at, 0, f"{part!r} is not in its place in: {message!r}")

    def test_at_load(self):
        for case, (code, output, said) in zip(mistakes.AT_LOAD, all_checked(mistakes.AT_LOAD)):
            with self.subTest(case.name):
                self.assertEqual((code, output), (1, ""), said)
                self.assertEqual(said.count("\n"), 1, "one line: " + said)
                self.assert_says(case, said.removeprefix("perilune: "))

    def test_by_a_warning(self):
        for case, (code, output, said) in zip(mistakes.WARNED, all_checked(mistakes.WARNED)):
            with self.subTest(case.name):
                self.assertEqual((code, output), (0, "ok: 1 file, 1 listener, 1 warning\n"), said)
                self.assertEqual(said.count("\n"), 1, "one line: " + said)
                self.assert_says(case, said.removeprefix("perilune: ").replace("warning: ", "", 1))

    def test_in_handlers(self):
        for case, (status, message) in zip(mistakes.IN_HANDLERS, told(mistakes.IN_HANDLERS)):
            with self.subTest(case.name):
                # What ends an exchange comes behind its answer.
                self.assertEqual(status, 200 if "at the end" in case.name else 500, message)
                self.assert_says(case, message)

    def test_there_are_enough_and_each_has_a_name_of_its_own(self):
        for cases in (mistakes.AT_LOAD, mistakes.IN_HANDLERS, mistakes.WARNED):
            self.assertEqual(len({case.name for case in cases}), len(cases))
        self.assertGreaterEqual(len(mistakes.AT_LOAD) + len(mistakes.IN_HANDLERS), 40)

    def test_the_page_says_what_the_program_says(self):
        self.assertEqual(page(), PAGE.read_text(encoding="utf-8"), "mistakes_told.py --show writes it anew")


def page():
    parts = [
        "# What people get wrong, and what they are told\n\n"
        "Written by `tests/docs/mistakes_told.py --show`, from the table in `tests/docs/mistakes.py`; a test compares it with\n"
        "what the program says.\n"
    ]

    def add(title, rows):
        parts.append(f"\n## {title}\n")
        for case, message in rows:
            parts.append(f"\n### {case.name}\n\n```lua\n{case.script}\n```\n```text\n{message.strip()}\n```\n")

    add("When a script is loaded",
        [(case, said) for case, (_, _, said) in zip(mistakes.AT_LOAD, all_checked(mistakes.AT_LOAD))])
    add("When a request comes",
        [(case, said) for case, (_, said) in zip(mistakes.IN_HANDLERS, told(mistakes.IN_HANDLERS))])
    add("What loads, and is hardly meant",
        [(case, said) for case, (_, _, said) in zip(mistakes.WARNED, all_checked(mistakes.WARNED))])
    return "".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] == ["--show"]:
        sys.stdout.write(page())
    else:
        unittest.main()
