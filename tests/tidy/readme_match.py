"""The README's tables say what the engine has, and the lessons quote their scripts.

Usage: readme_match.py ROOT

Findings: a filter, an option, a default, an error code, a status or a limit that README.md and the engine tell differently;
a `lua` block of a text that is not in the script beside it; two copies of the lesson that differ; a `make` target or a
linked file that does not exist.
"""

import glob
import os
import re
import sys

import engine_facts
import tree

LESSON = "tutorial/03-connection-pool/main.lua"
# The same script again, and why.
COPIES = {"tests/bench/scripts/lesson.lua": "what is measured is what is taught"}
HANDLERS_THAT_COLLECT = ("handleMessage", "handleMessageBody", "replaceMessage", "replaceMessageBody")


def rows_behind(text, beginning):
    """Cells of the first table behind a line that begins so; [] when there is none."""
    at = text.find("\n" + beginning)
    lines = text[at + 1:].splitlines() if at >= 0 else []
    table = []
    for line in lines[1:]:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split(" | ")])
        elif table:
            break
    return table[2:]


def named_rows(text, beginning):
    """{first cell without its ticks: the other cells}"""
    return {row[0].strip("`"): row[1:] for row in rows_behind(text, beginning)}


def different(what, told, actual):
    return [f"README.md: {what} {name} does not exist" for name in sorted(set(told) - set(actual))] + [
        f"README.md: {what} {name} is missing" for name in sorted(set(actual) - set(told))
    ]


def check_filters(root, text):
    actual, told = {}, {}
    for name, spec in engine_facts.filters(root).items():
        arguments = [argument for argument, _ in spec["arguments"]] + (["options"] if spec["options"] else [])
        actual[name] = ", ".join(arguments)
    for call in named_rows(text, "### Filters"):
        match = re.fullmatch(r"(\w+)\((.*)\)", call)
        told[match[1] if match else call] = match[2] if match else ""
    findings = different("the filter", told, actual)
    for name in sorted(set(told) & set(actual)):
        if told[name] != actual[name]:
            findings.append(f"README.md: {name}({told[name]}) takes ({actual[name]})")
    handlers = {name for name in actual if name.startswith("handle")}
    return findings + different("the handler", named_rows(text, "### Handlers"), handlers)


def check_options(root, text):
    findings = []
    defaults = engine_facts.defaults(root)
    options = {name: spec["options"] for name, spec in engine_facts.filters(root).items() if spec["options"]}
    options["listen"] = engine_facts.listen_options(root)
    options["upstream"] = engine_facts.upstream_options(root)
    for owner, actual in sorted(options.items()):
        beginning = "`handleMessage`, " if owner in HANDLERS_THAT_COLLECT else f"`{owner}("
        told = named_rows(text, beginning)
        findings += different(f"{owner}: the option", told, actual)
        for option in sorted(set(told) & set(actual)):
            for default in sorted(defaults.get((owner, option), ())):
                if default not in told[option][0]:
                    findings.append(f"README.md: {owner}: the default of {option} is {default}, not {told[option][0]}")
    return findings


def check_errors(root, text):
    told = {row[1].strip("`"): row[0] for row in rows_behind(text, "## HTTP")}
    actual = engine_facts.errors(root)
    findings = different("the error code", told, actual)
    for code in sorted(set(told) & set(actual)):
        if told[code] != str(actual[code]):
            findings.append(f"README.md: {code} is a {actual[code]}, not a {told[code]}")
    return findings


def check_limits(root, text):
    told, actual = named_rows(text, "## Limits"), engine_facts.limits(root)
    findings = different("the limit", told, actual)
    for name in sorted(set(told) & set(actual)):
        cells = [engine_facts.readable(f"limits::{name}", actual), actual[name][1]]
        if told[name] != cells:
            findings.append(f"README.md: {name}: {told[name]} is told, {cells} is in limits.hpp")
    return findings


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def check_excerpts(root):
    """Each `lua` block is some of its script or of the test beside it, line by line, in one piece; recipes are whole, and tests/docs runs them."""
    scripts = {"README.md": LESSON}
    for path in glob.glob(os.path.join(root, "tutorial/*/README.md")):
        path = os.path.relpath(path, root)
        scripts[path] = os.path.join(os.path.dirname(path), "main.lua")
    findings = []
    for path, script in sorted(scripts.items()):
        test = os.path.join(os.path.dirname(script), "test.lua")
        whole = "\n" + engine_facts.text_of(root, script)
        if os.path.exists(os.path.join(root, test)):
            whole += "\n" + engine_facts.text_of(root, test)
        text = re.sub(r"^### Recipes\n.*?(?=^### )", "", engine_facts.text_of(root, path), flags=re.M | re.S)
        for block in blocks(text, "lua"):
            if "\n" + block not in whole:
                findings.append(f"{path}: this is not in {script}: {block.splitlines()[0]} …")
    return findings


def check_copies(root):
    lesson = engine_facts.text_of(root, LESSON)
    findings = [
        f"{path}: differs from {LESSON}: {reason}"
        for path, reason in COPIES.items()
        if engine_facts.text_of(root, path) != lesson
    ]
    if lesson not in blocks(engine_facts.text_of(root, "README.md"), "lua"):
        findings.append(f"README.md: does not show all of {LESSON}")
    return findings


def check_links(root, text):
    targets = set(re.findall(r"^([a-z-]+):", engine_facts.text_of(root, "Makefile"), re.M))
    findings = [
        f"README.md: make {word} does not exist"
        for word in sorted(set(re.findall(r"\bmake ([a-z-]+)`", text)) - targets)
    ]
    lessons = [os.path.relpath(path, root) for path in glob.glob(os.path.join(root, "tutorial/*/README.md"))]
    for path in ["README.md", *sorted(lessons)]:
        for link in re.findall(r"\]\(([^):#]+)\)", engine_facts.text_of(root, path)):
            if not os.path.exists(os.path.join(root, os.path.dirname(path), link)):
                findings.append(f"{path}: there is no {link}")
    return findings


def check(root):
    """All findings, and the number of lines that were read."""
    text = engine_facts.text_of(root, "README.md")
    findings = check_filters(root, text) + check_options(root, text) + check_errors(root, text)
    findings += check_limits(root, text) + check_excerpts(root) + check_copies(root) + check_links(root, text)
    return findings, len(text.splitlines())


if __name__ == "__main__":
    all_findings, count = check(sys.argv[1])
    tree.finish(all_findings, f"{count} lines of README.md")
