"""What every checker needs: the files of a source tree, and how a finding is printed."""

import os
import sys

BUILT_OR_FOREIGN = {"build", ".git", ".cache", "__pycache__", ".vscode", ".idea"}


def files(root, suffixes=None):
    """Paths relative to root, sorted. suffixes: a tuple such as (".cpp", ".hpp"), or None for all."""
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in BUILT_OR_FOREIGN]
        for name in names:
            path = os.path.join(folder, name)
            # A worktree's .git is a file; links would be read twice.
            if name == ".git" or os.path.islink(path):
                continue
            if suffixes is None or name.endswith(suffixes):
                found.append(os.path.relpath(path, root))
    return sorted(found)


def lines(root, path):
    """(number, text) of each line; nothing for a binary file."""
    with open(os.path.join(root, path), "rb") as file:
        content = file.read()
    if b"\0" in content:
        return []
    return list(enumerate(content.decode("utf-8", "replace").splitlines(), 1))


def finish(findings, checked):
    """Prints the findings and ends the program: 0 when there are none, 1 otherwise."""
    for finding in findings:
        print(finding)
    print(f"{checked}: {len(findings)} findings")
    sys.exit(1 if findings else 0)
