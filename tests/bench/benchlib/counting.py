"""Counts that do not flake as times do: system calls (strace) and user instructions (callgrind) per unit.

Both are slopes between a short and a longer run, so that starting, accepting and dialling fall out.
"""

import os
import re
import shutil
import signal
import subprocess
import time

from . import load, processes

SHORT_SECONDS, LONG_SECONDS = 1, 4
# The closing of the connections has to fall into the run that opened them.
SETTLE_SECONDS = 0.3
NAMED_CALLS_MIN = 0.005


def parse_strace(text):
    """{name: calls} from the table of strace -c."""
    calls = {}
    for line in text.splitlines():
        found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)\s*$", line)
        if found and found[2] != "total":
            calls[found[2]] = int(found[1])
    return calls


def slope(short, long):
    """{name: count per unit} from two runs, each ({name: count}, units)."""
    units = long[1] - short[1]
    if units <= 0:
        return None
    names = {name: (long[0][name] - short[0].get(name, 0)) / units for name in long[0]}
    return {name: count for name, count in sorted(names.items()) if count >= NAMED_CALLS_MIN}


def system_calls(program, scenario, port, cpus, log_path):
    """{name: calls per unit}, or None where strace is missing or may not attach."""
    if not shutil.which("strace"):
        return None
    runs = []
    for seconds in (SHORT_SECONDS, LONG_SECONDS):
        run = traced_run(program, scenario, port, seconds, cpus, log_path)
        if run is None:
            return None
        runs.append(run)
    return slope(*runs)


def traced_run(program, scenario, port, seconds, cpus, log_path):
    words = ["strace", "-c", "-f", "-o", log_path]
    for pid in program.pids():
        words += ["-p", str(pid)]
    tracer = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, preexec_fn=processes.pin(cpus),
    )
    try:
        if not wait_until_traced(program, tracer):
            return None
        result = load.run(scenario, port, seconds, cpus)
        time.sleep(SETTLE_SECONDS)
    finally:
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.wait(5)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
    with open(log_path, encoding="utf-8") as file:
        return parse_strace(file.read()), result["units"]


def wait_until_traced(program, tracer, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and tracer.poll() is None:
        if all(tracer_of(pid, thread) for pid in program.pids() for thread in threads(pid)):
            return True
        time.sleep(0.02)
    return False


def threads(pid):
    return os.listdir(f"/proc/{pid}/task")


def tracer_of(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
        return int(re.search(r"TracerPid:\s+(\d+)", file.read())[1])


def instructions(start, scenario, cpus):
    """User instructions per unit, or None without valgrind. start(prefix) → (program, port) anew."""
    if not shutil.which("valgrind"):
        return None
    runs = []
    for seconds in (SHORT_SECONDS, LONG_SECONDS):
        words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=yes"]
        program, port = start(words)
        try:
            result = load.run(scenario, port, seconds, cpus)
        finally:
            program.stop(seconds=10)
        with open(program.log_path, encoding="utf-8", errors="replace") as log:
            collected = sum(map(int, re.findall(r"Collected\s*: (\d+)", log.read())))
        runs.append(({"instructions": collected}, result["units"]))
    return (slope(*runs) or {}).get("instructions")
