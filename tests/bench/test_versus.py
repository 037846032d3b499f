"""versus.py: what it reads, computes and prints; and that a run leaves nothing behind, interrupted or not.

Usage: test_versus.py RELAY
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from benchlib import counting, load, processes, report, scenarios

HERE = pathlib.Path(__file__).resolve().parent
RELAY = None

WRK = """Running 5s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.09ms  120.00us   9.10ms   90.00%
    Req/Sec    58.10k     1.00k   60.00k    75.00%
  Latency Distribution
     50%    1.50ms
     75%    1.10ms
     90%    1.20ms
     99%  802.00us
  290512 requests in 5.00s, 66.00MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 17
Requests/sec:  58102.40
Transfer/sec:     13.20MB
"""

STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 52.11    0.512000           2    200000           sendto
 46.93    0.461000           2    210064     10000 recvfrom
  0.96    0.009000           1      6500           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.982000           2    416564     10000 total
"""


class Reading(unittest.TestCase):
    def test_wrk(self):
        self.assertEqual(
            load.parse(WRK),
            {
                "requests": 290512, "seconds": 5.0, "per_second": 58102.4, "p50": 1.5e-3, "p99": 802e-6,
                "errors": {"read": 3, "timeout": 1, "status": 17},
            },
        )

    def test_wrk_without_a_total_is_a_failure(self):
        with self.assertRaises(processes.Failure):
            load.parse("unable to connect")

    def test_strace(self):
        self.assertEqual(
            counting.parse_strace(STRACE), {"sendto": 200000, "recvfrom": 210064, "epoll_wait": 6500}
        )

    def test_what_happens_once_falls_out_of_the_slope(self):
        short = ({"recv": 2064, "accept": 64}, 1000)
        long = ({"recv": 6064, "accept": 64}, 3000)
        self.assertEqual(counting.slope(short, long), {"recv": 2.0})
        self.assertIsNone(counting.slope(long, long))

    def test_templates(self):
        self.assertEqual(scenarios.fill("a @PORT@ b", {"PORT": 80}), "a 80 b")
        with self.assertRaisesRegex(scenarios.Mistake, "@PROT@"):
            scenarios.fill("a @PROT@ b", {"PORT": 80})
        filled = scenarios.fill_config("listen(8000)", {"8000": "@PORT@"}, {"PORT": 81})
        self.assertEqual(filled, "listen(81)")
        with self.assertRaisesRegex(scenarios.Mistake, "nothing to replace"):
            scenarios.fill_config("listen(9000)", {"8000": "@PORT@"}, {"PORT": 81})

    def test_every_row_of_the_table_can_be_filled(self):
        table = scenarios.read(HERE / "scenarios.toml")
        marks = dict.fromkeys(
            ["DIR", "BODY", "PERILUNE", "RELAY", "UPSTREAM_A", "UPSTREAM_B", "PORT", "CONFIG"], "1"
        )
        for row in [*table["contender"].values(), *table["upstream"].values()]:
            [scenarios.fill(word, marks) for word in row["command"]]
            if "config" in row:
                text = (HERE / row["config"]).read_text(encoding="utf-8")
                scenarios.fill_config(text, row.get("replace", {}), marks)

    def test_a_row_with_an_unknown_word_is_refused(self):
        with self.assertRaisesRegex(scenarios.Mistake, "comand"):
            scenarios.expect_keys("x", {"comand": 1}, scenarios.CONTENDER_KEYS)


class Computing(unittest.TestCase):
    def figures(self, *cpu_micros):
        return report.summarise(
            [
                {"user": cpu / 4 * 10, "system": cpu * 3 / 4 * 10, "requests": 10_000_000, "per_second": 1.0,
                 "p50": 1e-3, "p99": 2e-3, "errors": {"status": 1}}
                for cpu in cpu_micros
            ]
        )

    def test_medians_minima_and_errors(self):
        figures = self.figures(10, 30, 11)
        self.assertAlmostEqual(figures["cpu"], 11e-6)
        self.assertAlmostEqual(figures["cpu_min"], 10e-6)
        self.assertAlmostEqual(figures["user"], 2.75e-6)
        self.assertEqual(figures["errors"], {"status": 3})

    def test_targets(self):
        figures = {"a": {**self.figures(9), "calls": 4.4}, "b": self.figures(10)}
        target = {"contender": "a", "measure": "cpu", "against": "b", "at_most": 0.95}
        self.assertEqual(report.judge(target, figures)[1], True)
        self.assertEqual(report.judge({**target, "at_most": 0.89}, figures)[1], False)
        self.assertIsNone(report.judge({**target, "against": "c"}, figures)[1])
        self.assertEqual(report.judge({"contender": "a", "measure": "calls", "at_most": 4.3}, figures)[1], False)


def processes_in(folder):
    """Living processes that have folder in their command line or environment."""
    found = []
    for pid in processes.all_pids():
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            # nginx writes its title over its environment, so both are looked at.
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            if folder.encode() in words + environment and pid != os.getpid():
                found.append(words.decode())
    return found


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *words):
        command = [sys.executable, "-B", HERE / "versus.py", "--only", "relay,nginx", "--relay", RELAY, "--no-calls"]
        command += ["--results", self.folder, "--name", "try", *words]
        environment = {**os.environ, "TMPDIR": self.folder}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def expect_nothing_left(self):
        self.assertEqual(processes_in(self.folder), [])
        self.assertEqual(list(pathlib.Path(self.folder).glob("versus-*")), [])

    def test_a_round_counts_requests_and_cpu(self):
        with self.start("--rounds", "1", "--seconds", "1") as versus:
            said = versus.communicate()[0]
        self.assertEqual(versus.returncode, 0, said)
        result = json.loads(next(pathlib.Path(self.folder).glob("*-try.json")).read_text())
        for name in ("relay", "nginx"):
            figures = result["scenarios"][0]["figures"][name]
            self.assertGreater(figures["requests"], 0)
            self.assertGreater(figures["cpu"], 0)
            self.assertEqual(figures["errors"], {})
        text = next(pathlib.Path(self.folder).glob("*-try.md")).read_text()
        self.assertNotIn(self.folder, text)
        self.expect_nothing_left()

    def test_an_interrupt_leaves_nothing_behind(self):
        with self.start("--rounds", "100", "--seconds", "1") as versus:
            for line in versus.stdout:
                if line.startswith("round 1"):
                    self.assertGreater(len(processes_in(self.folder)), 3)
                    versus.send_signal(signal.SIGINT)
                    break
            said = versus.communicate()[0]
        self.assertEqual(versus.returncode, 130, said)
        self.expect_nothing_left()


if __name__ == "__main__":
    RELAY = sys.argv.pop(1)
    unittest.main()
