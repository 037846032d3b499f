"""Every `lua` block of README.md and of the lessons that names no file is a script that `check --strict` takes.

The mark behind the language says what a block is: ```lua main.lua is an excerpt of that file (tests/tidy/readme_match.py
compares), ```lua not loaded: WHY is neither, and all others are loaded here, each in the folder of its lesson.
"""

import re
import shutil
import unittest

import program

BLOCK = re.compile(r"^```lua\n(.*?)^```$", re.M | re.S)
TEXTS = [program.ROOT / "README.md", *sorted(program.ROOT.glob("tutorial/*/README.md"))]


class LuaBlocks(unittest.TestCase):
    def folder_like(self, original):
        """A folder with the files of the lesson, or an empty one."""
        folder = program.temporary_folder(self)
        if original == program.ROOT:
            return folder
        shutil.copytree(original, folder / "lesson")
        return folder / "lesson"

    def test_each_is_a_script_that_loads(self):
        count = 0
        for text in TEXTS:
            folder = self.folder_like(text.parent)
            for number, block in enumerate(BLOCK.findall(text.read_text(encoding="utf-8")), 1):
                with self.subTest(f"{text.relative_to(program.ROOT)}, block {number}"):
                    (folder / "block.lua").write_text(block, encoding="utf-8")
                    done = program.run("check", "--strict", "block.lua", folder=folder)
                    self.assertEqual((done.returncode, done.stderr), (0, ""), block)
                    count += 1
        self.assertGreaterEqual(count, 7, "the recipes of README.md at least")


class Scripts(unittest.TestCase):
    def test_each_script_of_the_tutorial_loads(self):
        scripts = [path for path in sorted(program.ROOT.glob("tutorial/**/*.lua")) if not path.name.endswith("test.lua")]
        self.assertGreaterEqual(len(scripts), 11)
        for script in scripts:
            with self.subTest(str(script.relative_to(program.ROOT))):
                done = program.run("check", "--strict", str(script))
                self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
