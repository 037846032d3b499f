"""The `console` blocks of README.md and of the lessons are executed, and what they show is what happens.

A line that begins with `$ ` is a command; the lines behind it, up to the next command, are all of its output. A line of
output `...` stands for any number of lines, and ` ...` at the end of a line for the rest of it. A command that begins
with `build/perilune`, names scripts and shows no output serves until the next such command or the end of the text, and
its log is not compared; it has one worker here, whether the text says so or not. `make` is not run here: what it does is
what runs this test. Everything happens in a copy of the tutorial, in which free ports stand for those that the texts name.
"""

import os
import re
import shutil
import subprocess
import unittest

import program

PORTS = ("8000", "8001", "8080", "8081", "8082")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
SERVES = re.compile(r"build/perilune(?: run)?(?: --workers 1)?((?: --watch)?(?: [\w./-]+\.lua)+)$")


def commands_of(text):
    """[(command, expected output)] of a text, in order."""
    found = []
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)  # a block that begins with output is a mistake, and fails here
    return found


def is_line(expected, line):
    return line.startswith(expected[:-3]) if expected.endswith(" ...") else line == expected


def matches(expected, lines):
    """Whether the lines are as expected, `...` being any number of them."""
    if "..." not in expected:
        return len(expected) == len(lines) and all(map(is_line, expected, lines))
    at = expected.index("...")
    if not matches(expected[:at], lines[:at]):
        return False
    rest = expected[at + 1:]
    return any(matches(rest, lines[i:]) for i in range(at, len(lines) + 1))


class Stage:
    """A folder with the tutorial and the program in it, and ports that stand for those of the texts."""

    def __init__(self, test):
        self.folder = program.temporary_folder(test)
        shutil.copytree(program.ROOT / "tutorial", self.folder / "tutorial")
        (self.folder / "build").mkdir()
        os.symlink(os.path.abspath(program.PROGRAM), self.folder / "build" / "perilune")
        self.ports = dict(zip(PORTS, map(str, program.free_ports(len(PORTS)))))
        for path in [path for kind in ("lua", "json") for path in self.folder.glob(f"tutorial/**/*.{kind}")]:
            path.write_text(self.moved(path.read_text(encoding="utf-8")), encoding="utf-8")

    def moved(self, text):
        """The text with our ports in the place of its own."""
        return re.sub(r"\b(?:" + "|".join(PORTS) + r")\b", lambda port: self.ports[port[0]], text)

    def run(self, command):
        """The lines of output and complaint."""
        done = subprocess.run(
            ["sh", "-c", self.moved(command)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=program.PATIENCE, check=False,
        )
        return done.stdout.splitlines()


def play(test, text):
    """Runs the commands of one text. Returns [(command, expected, seen)] of those that show something else."""
    stage, serving, different = Stage(test), None, []
    try:
        for command, expected in commands_of(text):
            if command.startswith("make "):
                continue
            match = SERVES.match(command)
            if match and not expected:
                if serving:
                    serving.__exit__(None, None, None)
                serving = program.Running(stage.folder, *match[1].split())
                serving.__enter__()
                continue
            seen = stage.run(command)
            expected = [stage.moved(line) for line in expected]
            if not matches(expected, seen):
                different.append((command, expected, seen))
    finally:
        if serving:
            serving.__exit__(None, None, None)
    return different


class ConsoleBlocks(unittest.TestCase):
    def test_the_texts_show_what_happens(self):
        texts = [program.ROOT / "README.md", *sorted(program.ROOT.glob("tutorial/*/README.md"))]
        self.assertGreaterEqual(len(texts), 2)
        for path in texts:
            with self.subTest(str(path.relative_to(program.ROOT))):
                text = path.read_text(encoding="utf-8")
                self.assertTrue(commands_of(text), "it has no command")
                for command, expected, seen in play(self, text):
                    self.fail("\n".join(["$ " + command, "is said to show:", *expected, "and shows:", *seen]))


class TheTestItself(unittest.TestCase):
    """A text that tells something else fails."""

    def text(self, *lines):
        return "\n".join(["```console", *lines, "```", ""])

    def test_output_that_differs_is_found(self):
        lesson = "tutorial/03-connection-pool/main.lua"
        right = (f"$ build/perilune check {lesson}", "ok: 1 file, 1 listener")
        self.assertEqual(play(self, self.text(*right)), [])
        wrong = [
            (right[0], "ok: 1 file, 2 listeners"),
            (right[0],),
            (*right, "and more"),
            (f"$ build/perilune {lesson}", "$ curl -s localhost:8000/", "Hello from 8080: GET /"),
        ]
        for lines in wrong:
            with self.subTest(lines):
                self.assertEqual(len(play(self, self.text(*lines))), 1)

    def test_dots_stand_for_any_number_of_lines(self):
        self.assertTrue(matches(["a", "...", "d"], ["a", "b", "c", "d"]))
        self.assertTrue(matches(["a", "..."], ["a"]))
        self.assertFalse(matches(["a", "...", "d"], ["a", "b", "c"]))
        self.assertFalse(matches(["...", "a"], ["a", "b"]))
        self.assertTrue(matches(["Date: ...", "b"], ["Date: today", "b"]))
        self.assertFalse(matches(["Date: ...", "b"], ["Data: today", "b"]))
        self.assertFalse(matches(["Date...", "b"], ["Date: today", "b"]))


if __name__ == "__main__":
    unittest.main()
