"""Each test that a room's README names exists: a table that proves something must not outlive its proof.

Usage: statements.py TREE
"""

import pathlib
import re
import sys


def tests_of(tree):
    """Suite.Name of every test that is written in C++."""
    names = set()
    for folder in ("unit", "sim"):
        for path in (tree / "tests" / folder).rglob("*.cpp"):
            for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(), re.M):
                names.add(f"{suite}.{name}")
    return names


def findings(tree):
    known = tests_of(tree)
    found = []
    for readme in sorted((tree / "engine").glob("*/README.md")):
        for number, line in enumerate(readme.read_text().splitlines(), 1):
            for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", line):
                if name not in known:
                    found.append(f"{readme.relative_to(tree)}:{number}: there is no test {name}")
            if line.startswith("| ") and "| ? |" in line:
                found.append(f"{readme.relative_to(tree)}:{number}: nothing shows this statement")
    return found


if __name__ == "__main__":
    result = findings(pathlib.Path(sys.argv[1]))
    print("\n".join(result))
    print(f"{len(result)} findings")
    sys.exit(1 if result else 0)
