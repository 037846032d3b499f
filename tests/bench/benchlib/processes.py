"""Programs under measurement: started on one CPU, accounted for, and gone at the end whatever happens."""

import contextlib
import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
KIB = 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A program did not start, did not answer, or answered something else."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def pin(cpus):
    """To run in a child: leave the terminal's signals to us, stay on these CPUs, die with us."""

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if cpus is not None:
            os.sched_setaffinity(0, cpus)

    return prepare


def choose_cpus(first, count=1, last=None):
    """`count` CPUs: `first`, then others, `last` after all others. None (no pinning) where this machine or
    container does not have the first, or not so many."""
    available = os.sched_getaffinity(0)
    others = sorted(available - {first}, key=lambda cpu: (cpu == last, cpu))
    chosen = [first, *others][:count]
    return set(chosen) if first in available and len(chosen) == count else None


def raise_descriptor_limit():
    """As many descriptors as this process and its children may have; returns how many that is."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Program:
    """A started program with all its processes. Its output is kept for error messages."""

    def __init__(self, name, command, cpus, log_path):
        self.name, self.command, self.log_path = name, command, log_path
        with open(log_path, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    preexec_fn=pin(cpus),
                )
            except OSError as error:
                raise Failure(f"{name}: {command[0]}: {error.strerror}") from error

    def fail(self, what):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            said = log.read()[-2000:].strip()
        return Failure(f"{self.name}: {what}" + (f"\n{said}" if said else ""))

    def wait_until(self, is_so, seconds=10):
        """Returns once is_so() gives None; what else it gives, or raises as an OSError, is the reason to wait."""
        deadline = time.monotonic() + seconds
        seen = "nothing"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self.fail(f"ended with status {self.process.returncode}")
            try:
                seen = is_so()
                if seen is None:
                    return
            except OSError as error:
                seen = error
            time.sleep(0.02)
        raise self.fail(f"does not answer as it should: {str(seen)[:500]}")

    def wait_until_it_accepts(self, port):
        """Returns once somebody can connect."""

        def accepts():
            socket.create_connection(("127.0.0.1", port), 2).close()

        self.wait_until(accepts)

    def wait_until_it_answers(self, port, scenario, body, seconds=10):
        """Returns once GET of the path gives 200 with exactly this body and the fields that it has to have."""

        def answers():
            status, fields, seen = get(port, scenario["path"])
            expected = scenario.get("answer_headers", {}).items()
            missing = [name for name, value in expected if fields.get(name.lower()) != value]
            if (status, seen) == (200, body) and not missing:
                return None
            return f"{status}, {fields}, {len(seen)} B: {seen[:100]!r}" + (f", no {missing}" if missing else "")

        self.wait_until(answers, seconds)

    def pids(self):
        """Its process and all below it: the whole session that was started for it."""
        return [pid for pid in all_pids() if session_of(pid) == self.process.pid]

    def cpu_seconds(self):
        """(user, system, exact) of all its processes and threads that live: the first two by the kernel's tick,
        the last by the scheduler's own clock."""
        user = system = exact = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = stat_fields(pid)
                user += int(fields[11]) / TICKS_PER_SECOND
                system += int(fields[12]) / TICKS_PER_SECOND
                exact += sum(running_seconds(pid))
        return user, system, exact

    def resident_bytes(self):
        """Memory of all its processes that is in RAM; pages that two of them share count twice."""
        total = 0
        for pid in self.pids():
            # smaps_rollup walks the pages; the counters in /proc/PID/status lag behind by some of them.
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
                total += int(re.search(r"^Rss:\s+(\d+) kB", file.read(), re.MULTILINE)[1]) * KIB
        return total

    def stop(self, ending=signal.SIGTERM, seconds=3):
        """Ends all its processes: politely, then not."""
        for number in (ending, signal.SIGKILL):
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
                if not self.pids():
                    return


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name: [0] is the state, [3] the session, [11] utime."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()


def session_of(pid):
    """The session of a living process, else None."""
    try:
        fields = stat_fields(pid)
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[3])


def spent(before, after):
    """(user, system) between two cpu_seconds(): ticks tell the two apart, the exact clock how much it was."""
    user, system, exact = (end - start for start, end in zip(before, after, strict=True))
    if exact <= 0:
        return user, system
    if user + system <= 0:
        return 0.0, exact
    return exact * user / (user + system), exact * system / (user + system)


def running_seconds(pid):
    """Time on a CPU of each thread, by the scheduler's clock; nothing where the kernel does not keep it."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="utf-8") as file:
                yield int(file.read().split()[0]) / 1e9


def get(port, path):
    """(status, {field: value}, body) of one plain GET, names in lower case."""
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.settimeout(2)
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        pieces = []
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(None, 2)
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return (int(words[1]) if len(words) > 1 else None), fields, body.decode("utf-8", "replace")
