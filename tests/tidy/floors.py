"""Rooms stand on floors: engine/floors.txt is the one list, and this finds the includes that break it.

Usage: floors.py ROOT

Findings: an include of a room that is not on a lower floor; an include without its room; headers of one
room that include each other in a circle; a room that floors.txt does not list, or lists twice; Lua's
headers outside the room `script`.
"""

import os
import re
import sys

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LUA_HEADERS = {"lua.hpp", "lua.h", "lauxlib.h", "lualib.h", "luajit.h"}
LUA_ROOM = "script"
NOT_ROOMS = {"notes"}
SOURCES = (".cpp", ".hpp", ".c", ".h", ".ipp", ".inl")


def read_floors(root):
    """({room: floor}, findings)."""
    floors, findings = {}, []
    for number, line in tree.lines(root, "engine/floors.txt"):
        words = line.split("#")[0].split()
        if not words:
            continue
        for room in words[1:]:
            if room in floors:
                findings.append(f"engine/floors.txt:{number}: {room} stands on two floors")
            floors[room] = int(words[0])
    return floors, findings


def read_includes(root):
    """{path below engine/: [(line, bracket, included)]} of every source file in a room."""
    engine = os.path.join(root, "engine")
    return {
        path: [
            (number, match[1], match[2])
            for number, text in tree.lines(engine, path)
            if (match := INCLUDE.match(text))
        ]
        for path in tree.files(engine, SOURCES)
    }


def check_include(path, include, floors):
    """What is wrong with one include, or None."""
    number, bracket, included = include
    room = path.split("/")[0]
    where = f"engine/{path}:{number}"
    if os.path.basename(included) in LUA_HEADERS and room != LUA_ROOM:
        return f"{where}: {included} belongs to the room {LUA_ROOM}, nobody else sees Lua"
    target = included.split("/")[0] if "/" in included else None
    if target not in floors:
        if bracket == '"':
            return f'{where}: write "room/file.hpp", not "{included}"'
        return None
    if target == room or floors[target] < floors[room]:
        return None
    return (
        f"{where}: {room} (floor {floors[room]}) may not include {included} "
        f"(floor {floors[target]}): only lower floors"
    )


def find_circles(includes):
    """Each circle of headers inside one room once, as a finding."""
    graph = {}
    for path, found in includes.items():
        if path.endswith(".cpp"):
            continue
        room = path.split("/")[0]
        graph[path] = [name for _, _, name in found if name in includes and name.split("/")[0] == room]

    findings, done, trail = [], set(), []

    def walk(path):
        if path in trail:
            circle = trail[trail.index(path):] + [path]
            findings.append("engine/" + path + ": circle " + " -> ".join(circle))
            return
        if path in done:
            return
        trail.append(path)
        for other in graph.get(path, []):
            walk(other)
        trail.pop()
        done.add(path)

    for path in sorted(graph):
        walk(path)
    return findings


def check(root):
    """All findings, and the number of files that were read."""
    floors, findings = read_floors(root)
    includes = read_includes(root)
    unlisted = set()
    for path, found in includes.items():
        room = path.split("/")[0]
        if room in NOT_ROOMS:
            continue
        if room not in floors:
            unlisted.add(room if "/" in path else path)
            continue
        findings += [finding for include in found if (finding := check_include(path, include, floors))]
    findings += [f"engine/{room}: not in engine/floors.txt" for room in sorted(unlisted)]
    findings += find_circles(includes)
    return findings, len(includes)


if __name__ == "__main__":
    all_findings, count = check(sys.argv[1])
    tree.finish(all_findings, f"{count} files in rooms")
