"""The checker of named tests can fail."""

import pathlib
import tempfile
import unittest

import statements


class Statements(unittest.TestCase):
    def findings(self, readme):
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            (tree / "engine/room").mkdir(parents=True)
            (tree / "tests/unit/room").mkdir(parents=True)
            (tree / "tests/unit/room/x_test.cpp").write_text("TEST_P(Suite, S1_Holds) {}\n")
            (tree / "engine/room/README.md").write_text(readme)
            return statements.findings(tree)

    def test_a_test_that_is_there(self):
        self.assertEqual(self.findings("| 1 | `Suite.S1_Holds` | |\n"), [])

    def test_one_that_is_not(self):
        self.assertEqual(self.findings("x\n| 1 | `Suite.S2_Holds` | |\n"), ["engine/room/README.md:2: there is no test Suite.S2_Holds"])

    def test_a_statement_that_nothing_shows(self):
        self.assertEqual(self.findings("| 1 | ? | |\n"), ["engine/room/README.md:1: nothing shows this statement"])


if __name__ == "__main__":
    unittest.main()
