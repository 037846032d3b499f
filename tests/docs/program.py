"""The program under test: where it is, a folder to run it in, and a run that is over when its test is.

The binary's path is in the environment as PERILUNE, or build/perilune.
"""

import os
import random
import pathlib
import queue
import socket
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("PERILUNE", str(ROOT / "build" / "perilune"))
PATIENCE = 60  # seconds; sanitizers are slow, and a machine may be busy


def run(*words, folder=ROOT):
    """Runs the program to its end."""
    return subprocess.run(
        [PROGRAM, *words], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def free_ports(count):
    """Ports that nobody has just now, all different."""
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            # Not the kernel's choice: those ports are what clients of other tests have when they connect.
            while True:
                try:
                    holder.bind(("0.0.0.0", random.randrange(5000, 15000)))
                    break
                except OSError:
                    continue
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()


class Running:
    """`with Running(folder, "main.lua") as proxy:` serves from here to there."""

    def __init__(self, folder, *words):
        self.words, self.folder = words, folder
        self.log = []
        self._lines = queue.Queue()

    def __enter__(self):
        self.process = subprocess.Popen(
            [PROGRAM, "run", "--workers", "1", "--drain", "100ms", "--admin", "off", *self.words],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for("perilune serves with")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(PATIENCE)
        self.process.stderr.close()
        if code != 0 and failure[0] is None:
            raise AssertionError(f"exit code {code}\n" + "".join(self.log))

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, *texts):
        """The first line of the log, from where the last wait ended, that holds one of the texts."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            if line is None:
                raise AssertionError(f"it ended before it said {texts!r}:\n" + "".join(self.log))
            if any(text in line for text in texts):
                return line


def temporary_folder(test):
    """A folder that goes with its test."""
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    return pathlib.Path(folder.name)
