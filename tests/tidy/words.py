"""Words that do not belong into the tree.

Usage: words.py ROOT

Findings: paths that exist on one machine only; promises to finish something later; tests that are
switched off; sleeping tests; the words for client and upstream that half the field uses the other way.
"""

import re
import sys

import tree

TEXT = None
CODE = (".cpp", ".hpp", ".c", ".h", ".lua", ".py", ".sh", ".cmake", ".txt")

# (what it is, pattern, the folders or files it is looked for in, suffixes).
# The brackets keep a pattern from finding itself.
RULES = [
    ("a path of one machine", r"(?:^|[^\w.@}-])/(?:work|farm|root|home/[a-z]+|Users/\w+)/", [""], TEXT),
    ("an open promise", r"\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b", [""], TEXT),
    ("an open promise", r"\b[Nn]ot (?:yet )?impl[e]mented\b|\b[Ff]or n[o]w\b", [""], CODE),
    ("a test switched off", r"GTEST_SK[I]P|\bDISABL[E]D_|unittest\.sk[i]p", ["tests/"], TEXT),
    ("a sleeping test", r"\bsleep_f[o]r\b|\busle[e]p\b", ["engine/", "tests/unit/", "tests/sim/"], CODE),
    (
        "say client or upstream",
        r"(?i)\b(?:downstr[e]ams?|back-?[e]nds?|front-?[e]nds?)\b",
        ["engine/", "lua/", "scripts/", "tutorial/"],
        TEXT,
    ),
]


def check(root):
    """All findings, and the number of files that were read."""
    findings = []
    paths = tree.files(root)
    rules = [(name, re.compile(pattern), places, suffixes) for name, pattern, places, suffixes in RULES]
    for path in paths:
        mine = [
            (name, pattern)
            for name, pattern, places, suffixes in rules
            if path.startswith(tuple(places)) and (suffixes is None or path.endswith(suffixes))
        ]
        for number, text in tree.lines(root, path):
            findings += [
                f"{path}:{number}: {name}: {found[0].strip()}"
                for name, pattern in mine
                if (found := pattern.search(text))
            ]
    return findings, len(paths)


if __name__ == "__main__":
    all_findings, count = check(sys.argv[1])
    tree.finish(all_findings, f"{count} files")
