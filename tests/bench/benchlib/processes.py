"""Programs under measurement: started on one CPU, accounted for, and gone at the end whatever happens."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A program did not start, did not answer, or answered something else."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def pin(cpu):
    """To run in a child: leave the terminal's signals to us, stay on one CPU, die with us."""

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return prepare


def available_cpu(number):
    """number, or None (no pinning) where this machine or container does not have that CPU."""
    return number if number in os.sched_getaffinity(0) else None


class Program:
    """A started program with all its processes. Its output is kept for error messages."""

    def __init__(self, name, command, cpu, log_path):
        self.name, self.command, self.log_path = name, command, log_path
        with open(log_path, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    preexec_fn=pin(cpu),
                )
            except OSError as error:
                raise Failure(f"{name}: {command[0]}: {error.strerror}") from error

    def fail(self, what):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            said = log.read()[-2000:].strip()
        return Failure(f"{self.name}: {what}" + (f"\n{said}" if said else ""))

    def wait_until_it_answers(self, port, path, body, seconds=10):
        """Returns once GET path gives 200 with exactly this body."""
        deadline = time.monotonic() + seconds
        seen = "no connection"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self.fail(f"ended with status {self.process.returncode}")
            try:
                seen = get(port, path)
                if seen == (200, body):
                    return
            except OSError as error:
                seen = error
            time.sleep(0.02)
        raise self.fail(f"does not answer as it should: {seen}")

    def pids(self):
        """Its process and all below it: the whole session that was started for it."""
        return [pid for pid in all_pids() if session_of(pid) == self.process.pid]

    def cpu_seconds(self):
        """(user, system) of all its processes and threads that live."""
        user = system = exact = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = stat_fields(pid)
                user += int(fields[11]) / TICKS_PER_SECOND
                system += int(fields[12]) / TICKS_PER_SECOND
                exact += sum(running_seconds(pid))
        # Ticks tell the two apart, the scheduler's own clock tells how much it was.
        if exact and user + system:
            scale = exact / (user + system)
            return user * scale, system * scale
        return user, system

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


def running_seconds(pid):
    """Time on a CPU of each thread, by the scheduler's clock; nothing where the kernel does not keep it."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="utf-8") as file:
                yield int(file.read().split()[0]) / 1e9


def get(port, path):
    """(status, body) of one plain GET."""
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.settimeout(2)
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    return (int(words[1]) if len(words) > 1 else None), body.decode("utf-8", "replace")
