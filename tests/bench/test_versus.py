"""versus.py: what it reads, computes and prints; and that a run leaves nothing behind, interrupted or not.

Usage: test_versus.py RELAY
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

from benchlib import counting, idle, load, measures, processes, report, scenarios

HERE = pathlib.Path(__file__).resolve().parent
RELAY = None
LEFT_SECONDS_MAX = 3

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


# Answers the first request of each connection, keeps so many bytes for each, and closes the first few of them.
HOARDER = """
import socket, sys
port, kept, closing = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
hoard, connections = [], []
listener = socket.create_server(("127.0.0.1", port), backlog=256)
while True:
    connection, _ = listener.accept()
    asked = b""
    while not asked.endswith(b"\\r\\n\\r\\n") and (piece := connection.recv(4096)):
        asked += piece
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    if len(connections) < closing:
        connection.close()
    hoard.append(bytearray(b"x" * kept))
    connections.append(connection)
"""

# Rows for the two programs that are always there, each way to measure once.
TABLE = """
[[scenario]]
name = "whole"
title = "per MiB, over two CPUs"
upstream = "short"
per = "MiB"
body_bytes = 2048
path = "/"
connections = 4
headers = ["Connection: close"]
contenders = ["relay", "missing", "wide"]
ratios_to = ["relay"]
target = [{ contender = "wide", measure = "cpu", against = "relay", at_most = 100 }]

[[scenario]]
name = "idle"
title = "memory"
upstream = "short"
measure = "memory"
body_bytes = 64
path = "/"
connections = 300
contenders = ["relay"]
ratios_to = ["relay"]
target = [{ contender = "relay", measure = "memory", at_most = 100000 }]

[[scenario]]
name = "crowd"
title = "more connections than descriptors"
measure = "memory"
body_bytes = 64
path = "/"
connections = 1000000000
contenders = ["relay"]
ratios_to = ["relay"]

[upstream.short]
config = "conf/upstream.conf"
command = ["nginx", "-c", "@CONFIG@", "-e", "stderr"]

[contender.relay]
title = "relay"
command = ["@RELAY@", "@PORT@", "@UPSTREAM_A@"]

[contender.wide]
title = "relay that may use two CPUs"
cpus = 2
command = ["@RELAY@", "@PORT@", "@UPSTREAM_A@"]

[contender.missing]
title = "a program that is here, without a module that is not"
needs = ["/nonexistent/module.so"]
command = ["nginx"]
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
            [
                "DIR", "HERE", "NAME", "BODY", "BODY_BYTES", "PERILUNE", "RELAY", "UPSTREAM_A", "UPSTREAM_B",
                "PORT", "CONFIG",
            ],
            "1",
        )
        for row in [*table["contender"].values(), *table["upstream"].values()]:
            [scenarios.fill(word, marks) for word in row["command"]]
            if "config" in row:
                text = scenarios.read_config(HERE / row["config"])
                self.assertNotIn("@INCLUDE", text)
                scenarios.fill_config(text, row.get("replace", {}), marks)

    def test_every_contender_is_in_a_scenario(self):
        table = scenarios.read(HERE / "scenarios.toml")
        used = {name for scenario in table["scenario"] for name in scenario["contenders"]}
        self.assertEqual(used, set(table["contender"]))

    def test_a_template_takes_in_another(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "outer").write_text("a\n@INCLUDE inner.conf@\nb @PORT@\n")
            (folder / "inner.conf").write_text("inner @PORT@\n")
            self.assertEqual(scenarios.read_config(folder / "outer"), "a\ninner @PORT@\nb @PORT@\n")
            (folder / "inner.conf").unlink()
            with self.assertRaisesRegex(scenarios.Mistake, "inner.conf"):
                scenarios.read_config(folder / "outer")

    def test_a_row_with_an_unknown_word_is_refused(self):
        with self.assertRaisesRegex(scenarios.Mistake, "comand"):
            scenarios.expect_keys("x", {"comand": 1}, scenarios.CONTENDER_KEYS)

    def test_a_scenario_that_leads_nowhere_is_refused(self):
        table = {"contender": {"a": {}, "b": {}}, "upstream": {"up": {}}}
        good = {
            "name": "x", "measure": "memory", "per": "request", "contenders": ["a"], "ratios_to": ["a"],
            "upstream": "up", "target": [{"contender": "a", "measure": "memory", "at_most": 1}],
        }
        scenarios.expect_scenario(good, table)
        for change, said in (
            ({"measure": "weight"}, "cannot measure weight"),
            ({"per": "mile"}, "nothing per mile"),
            ({"contenders": ["a", "c"]}, "no contender is called c"),
            ({"ratios_to": ["b"]}, "b is not among"),
            ({"upstream": "down"}, "no upstream is called down"),
            ({"target": [{"contender": "b", "measure": "memory", "at_most": 1}]}, "b is not among"),
            ({"target": [{"contender": "a", "measure": "cpu", "at_most": 1}]}, "cannot measure cpu"),
            ({"target": [{**good["target"][0], "against": "b"}]}, "b is not among"),
            ({"lenght": 1}, "unknown lenght"),
        ):
            with self.subTest(said), self.assertRaisesRegex(scenarios.Mistake, said):
                scenarios.expect_scenario({**good, **change}, table)

    def test_fields_of_requests_are_given_to_wrk(self):
        scenario = {"connections": 2, "path": "/p", "headers": ["Connection: close"]}
        words = load.command(scenario, 80, 1)
        self.assertEqual(words[words.index("-H") + 1], "Connection: close")
        self.assertNotIn("-H", load.command({"connections": 2, "path": "/p"}, 80, 1))


class Computing(unittest.TestCase):
    def figures(self, *cpu_micros):
        return measures.CpuTime.summarise(
            [
                {"user": cpu / 4 * 10, "system": cpu * 3 / 4 * 10, "requests": 20_000_000, "units": 10_000_000,
                 "per_second": 1.0, "p50": 1e-3, "p99": 2e-3, "errors": {"status": 1}}
                for cpu in cpu_micros
            ]
        )

    def test_medians_minima_and_errors(self):
        figures = self.figures(10, 30, 11)
        self.assertAlmostEqual(figures["cpu"], 11e-6)
        self.assertAlmostEqual(figures["cpu_min"], 10e-6)
        self.assertAlmostEqual(figures["user"], 2.75e-6)
        self.assertEqual(figures["errors"], {"status": 3})

    def test_nothing_answered_is_no_figure(self):
        self.assertIsNone(measures.CpuTime.summarise([{"requests": 0}]))
        self.assertIsNone(measures.IdleMemory.summarise([{"memory": None}]))

    def test_units(self):
        scenario = {"body_bytes": 512 * 1024, "per": "MiB"}
        self.assertEqual(scenarios.units_per_request(scenario), 0.5)
        self.assertEqual(scenarios.units_per_request({**scenario, "per": "request"}), 1)

    def test_ticks_split_what_the_exact_clock_says(self):
        user, system = processes.spent((1.0, 1.0, 2.0), (1.1, 1.3, 2.8))
        self.assertAlmostEqual(user, 0.2)
        self.assertAlmostEqual(system, 0.6)
        self.assertEqual(processes.spent((1.0, 1.0, 0.0), (3.0, 2.0, 0.0)), (2.0, 1.0))
        self.assertEqual(processes.spent((1.0, 1.0, 2.0), (1.0, 1.0, 2.5)), (0.0, 0.5))

    @mock.patch("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    def test_cpus(self):
        self.assertEqual(processes.choose_cpus(0), {0})
        self.assertEqual(processes.choose_cpus(0, 2, last=1), {0, 2})
        self.assertEqual(processes.choose_cpus(0, 4, last=1), {0, 1, 2, 3})
        self.assertIsNone(processes.choose_cpus(0, 5))
        self.assertIsNone(processes.choose_cpus(4))

    def test_memory_medians(self):
        rounds = [{"memory": value, "connections": 10, "errors": {"closed": 1}} for value in (30, 10, 20)]
        figures = measures.IdleMemory.summarise(rounds)
        self.assertEqual((figures["memory"], figures["memory_min"]), (20, 10))
        self.assertEqual(figures["errors"], {"closed": 3})

    def test_a_table_has_the_columns_of_its_measure(self):
        scenario = {"per": "MiB"}
        one = {"memory": 2000.0, "memory_min": 1500.0, "connections": 10, "errors": {}}
        result = {
            "measure": "memory", "columns": measures.IdleMemory.columns(scenario), "ratios_to": ["b"],
            "contenders": ["a", "b", "c"], "titles": {name: name.upper() for name in "abc"},
            "figures": {"a": one, "b": {**one, "memory": 1000.0, "memory_min": 1000.0, "errors": {"closed": 2}}},
            "absent": {"c": "not installed"},
        }
        self.assertEqual(
            report.table(result),
            [
                "| contender | B/connection | min | of b (min) | connections | errors |",
                "|---|---:|---:|---:|---:|---:|",
                "| A | 2,000 | 1,500 | 2.00 (1.50) | 10 | 0 |",
                "| B | 1,000 | 1,000 | 1.00 (1.00) | 10 | closed 2 |",
                "| C | not installed | | | | |",
            ],
        )
        front, back = measures.CpuTime.columns(scenario)
        self.assertIn("CPU µs/MiB", [column.title for column in front])
        self.assertIn("MiB/s", [column.title for column in back])

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


class Idle(unittest.TestCase):
    """The clients that stay, against a program whose hunger for memory is known."""

    def run_hoarder(self, kept, closing=0):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        port = processes.free_port()
        words = [sys.executable, "-c", HOARDER, str(port), str(kept), str(closing)]
        program = processes.Program("hoarder", words, None, f"{folder.name}/out")
        self.addCleanup(program.stop)
        program.wait_until_it_accepts(port)
        return measures.Run({"path": "/", "connections": 200}, program, port, None, 1)

    def test_memory_of_a_connection(self):
        run = self.run_hoarder(50_000)
        measures.IdleMemory.warm_up(run)
        one = measures.IdleMemory.one_round(run)
        self.assertEqual((one["connections"], one["errors"]), (200, {}))
        self.assertGreater(one["memory"], 48_000)
        self.assertLess(one["memory"], 60_000)

    def test_who_is_sent_away_is_an_error(self):
        run = self.run_hoarder(1, closing=3)
        one = measures.IdleMemory.one_round(run)
        # The first of the three was the one that tried whether it accepts.
        self.assertEqual((one["connections"], one["errors"]), (200, {"closed": 2}))

    def test_who_is_not_answered_well_is_missing(self):
        left, right = socket.socketpair()
        with left, right:
            for answer, good in (
                (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", True),
                (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nok", False),
                (b"HTTP/1.1 200 OK\r\n\r\n", False),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", False),
            ):
                right.sendall(answer)
                self.assertEqual(idle.read_good_answer(left), good, answer)
        run = self.run_hoarder(1)
        run.program.stop()
        with idle.Clients(run.port, run.scenario) as clients:
            clients.open(5)
            self.assertEqual((clients.opened, clients.errors()), (0, {"connect": 5}))


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *words, only="relay,nginx"):
        command = [sys.executable, "-B", HERE / "versus.py", "--only", only, "--relay", RELAY, "--no-calls"]
        command += ["--results", self.folder, "--name", "try", *words]
        environment = {**os.environ, "TMPDIR": self.folder}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def expect_nothing_left(self):
        # The kernel ends a child that was just being started, right after its parent.
        deadline = time.monotonic() + LEFT_SECONDS_MAX
        while processes_in(self.folder) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(processes_in(self.folder), [])
        self.assertEqual(list(pathlib.Path(self.folder).glob("versus-*")), [])

    def test_a_round_counts_requests_and_cpu(self):
        with self.start("lesson", "--rounds", "1", "--seconds", "1") as versus:
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

    def test_each_measure_and_what_is_missing(self):
        path = pathlib.Path(self.folder) / "table.toml"
        path.write_text(TABLE)
        words = ("--scenarios", path, "--rounds", "1", "--seconds", "1")
        with self.start(*words, only="relay,wide,missing") as versus:
            said = versus.communicate()[0]
        self.assertEqual(versus.returncode, 0, said)
        result = json.loads(next(pathlib.Path(self.folder).glob("*-try.json")).read_text())
        whole, memory, crowd = result["scenarios"]
        for name in ("relay", "wide"):
            one = whole["rounds"][name][0]
            self.assertAlmostEqual(one["units"], one["requests"] * 2048 / (1 << 20))
            spent = (one["user"] + one["system"]) / one["units"]
            self.assertAlmostEqual(whole["figures"][name]["cpu"], spent)
        self.assertEqual(whole["absent"], {"missing": "not installed"})
        self.assertEqual(memory["figures"]["relay"]["connections"], 300)
        self.assertEqual(memory["figures"]["relay"]["errors"], {})
        self.assertIn("descriptors", crowd["absent"]["relay"])
        text = next(pathlib.Path(self.folder).glob("*-try.md")).read_text()
        self.assertIn("memory of relay at most 100000: **", text)
        self.assertIn("-H 'Connection: close'", text)
        self.expect_nothing_left()

    def test_an_answer_without_its_field_is_refused(self):
        path = pathlib.Path(self.folder) / "table.toml"
        path.write_text(TABLE.replace("connections = 4", 'connections = 4\nanswer_headers = { x-by = "us" }'))
        words = ("whole", "--scenarios", path, "--rounds", "1", "--seconds", "1")
        with self.start(*words, only="relay") as versus:
            said = versus.communicate()[0]
        self.assertEqual(versus.returncode, 1, said)
        self.assertIn("no ['x-by']", said)
        self.expect_nothing_left()

    def test_an_interrupt_leaves_nothing_behind(self):
        with self.start("lesson", "--rounds", "100", "--seconds", "1") as versus:
            for line in versus.stdout:
                if "round 1" in line:
                    self.assertGreater(len(processes_in(self.folder)), 3)
                    versus.send_signal(signal.SIGINT)
                    break
            said = versus.communicate()[0]
        self.assertEqual(versus.returncode, 130, said)
        self.expect_nothing_left()


if __name__ == "__main__":
    RELAY = sys.argv.pop(1)
    unittest.main()
