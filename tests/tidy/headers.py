"""Every header compiles alone, so that nobody has to know what to include before it.

Usage: headers.py ROOT --compile-commands FILE --compiler CXX --build DIR [--launcher CCACHE]

A header whose own .cpp includes it first is proven by the release build. Each other one becomes a source file of
one line, compiled with the flags of a source file of its room. With ccache as the launcher only what
changed costs time.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

import floors
import tree


def unproven(root):
    """Headers below engine/ that no .cpp of the same name includes first."""
    includes = floors.read_includes(root)
    proven = set()
    for path, found in includes.items():
        own = os.path.splitext(path)[0] + ".hpp"
        if path.endswith(".cpp") and found and found[0][2] == own:
            proven.add(own)
    return [path for path in includes if path.endswith((".hpp", ".h")) and path not in proven]


def flags_by_room(commands_file):
    """{room: flags} from the compile commands: includes, definitions, dialect and warnings."""
    flags = {}
    with open(commands_file, encoding="utf-8") as file:
        commands = json.load(file)
    for command in commands:
        # A file of the room, or one that CMake made of several.
        place = re.search(r"/engine/(\w+)/[^/]*\.cpp$|/perilune_(\w+)\.dir/Unity/", command["file"])
        if not place:
            continue
        room = place[1] or place[2]
        words = command.get("arguments") or shlex.split(command["command"])
        flags.setdefault(room, useful(words))
    return flags


def useful(words):
    """The flags that decide whether a header compiles; optimisation and debug data only cost time."""
    kept = []
    separate = {"-I", "-isystem", "-D", "-include"}
    for index, word in enumerate(words):
        if word == "-include" and words[index + 1].endswith("cmake_pch.hxx"):
            continue  # which would hide what a header forgot
        if word in separate:
            kept += [word, words[index + 1]]
        elif word.startswith(("-I", "-D", "-std=", "-W", "-f")) and not word.startswith("-flto"):
            kept.append(word)
    return kept


def compile_alone(header, options, flags):
    """The finding for one header below engine/, or None."""
    source = os.path.join(options.build, header.replace("/", "__") + ".cpp")
    text = f'#include "{header}"\n'
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    command = [*options.launcher, options.compiler, *flags, f"-I{options.root}/engine", "-O0", "-g0"]
    done = subprocess.run(
        [*command, "-c", source, "-o", source + ".o"], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    return f"engine/{header}: does not compile alone\n{done.stderr}"


def check(options):
    """All findings, and the number of headers compiled."""
    headers = unproven(options.root)
    flags = flags_by_room(options.compile_commands) if options.compile_commands else {}
    # A room of headers only has no compile command; the lowest room's flags name the same libraries.
    fallback = next(iter(flags.values()), ["-std=c++20", "-Wall", "-Wextra", "-Werror"])
    os.makedirs(options.build, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = pool.map(
            lambda header: compile_alone(header, options, flags.get(header.split("/")[0], fallback)), headers
        )
        return [finding for finding in results if finding], len(headers)


def parse(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--compile-commands")
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--build", required=True)
    parser.add_argument("--launcher", type=shlex.split, default=[])
    return parser.parse_args(arguments)


if __name__ == "__main__":
    all_findings, count = check(parse(sys.argv[1:]))
    tree.finish(all_findings, f"{count} headers compiled alone")
