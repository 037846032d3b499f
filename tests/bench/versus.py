#!/usr/bin/env python3
"""Perilune beside other proxies, each with one worker on a CPU of its own. See README.md in this folder."""

import argparse
import contextlib
import datetime
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from benchlib import counting, load, processes, report, scenarios  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Bench:
    """One scenario: its upstream and its contenders, all running, measured in turns."""

    def __init__(self, options, table, scenario, folder, cleanup):
        self.options, self.table, self.scenario = options, table, scenario
        self.folder, self.cleanup = folder, cleanup
        self.proxy_cpu = processes.available_cpu(options.proxy_cpu)
        self.load_cpu = processes.available_cpu(options.load_cpu)
        self.body = "x" * scenario["body_bytes"]
        self.values = {
            "DIR": str(folder),
            "BODY": self.body,
            "PERILUNE": str(options.perilune),
            "RELAY": str(options.relay),
            "UPSTREAM_A": processes.free_port(),
            "UPSTREAM_B": processes.free_port(),
        }
        self.running, self.absent, self.commands = {}, {}, {}
        self.rounds = {}

    def start(self, kind, name, port, cpu, prefix=()):
        """Starts a program of the table and waits for its first good answer."""
        row = self.table[kind][name]
        values = {**self.values, "PORT": port}
        if "config" in row:
            source = HERE / row["config"]
            values["CONFIG"] = self.folder / f"{kind}-{name}{source.suffix}"
            text = scenarios.fill_config(source.read_text(), row.get("replace", {}), values)
            values["CONFIG"].write_text(text)
        words = [scenarios.fill(word, values) for word in row["command"]]
        self.commands[name] = self.presentable(" ".join(words))
        program = processes.Program(name, [*prefix, *words], cpu, self.folder / f"{kind}-{name}.out")
        self.cleanup.callback(program.stop)
        seconds = 60 if prefix else 10
        program.wait_until_it_answers(port, self.scenario["path"], self.body, seconds)
        return program

    def presentable(self, text):
        """A command line without the paths of this machine."""
        return text.replace(str(self.folder), "DIR").replace(str(ROOT) + "/", "")

    def start_all(self):
        upstream = self.scenario["upstream"]
        self.start("upstream", upstream, self.values["UPSTREAM_A"], self.load_cpu)
        for name in self.options.only or self.scenario["contenders"]:
            program = self.table["contender"][name]["command"][0]
            if not shutil.which(scenarios.fill(program, self.values)):
                self.absent[name] = "not built" if program.startswith("@") else "not installed"
                say(f"{name}: {self.absent[name]}, left out")
                continue
            port = processes.free_port()
            self.running[name] = (self.start("contender", name, port, self.proxy_cpu), port)
            self.rounds[name] = []

    def measure(self):
        for program, port in self.running.values():
            load.run(self.scenario, port, 1, self.load_cpu)  # warm-up: caches, pools, JIT
        for number in range(1, self.options.rounds + 1):
            for name, (program, port) in self.running.items():
                one = self.measure_once(program, port)
                self.rounds[name].append(one)
                spent = (one["user"] + one["system"]) / one["requests"] * 1e6 if one["requests"] else 0
                say(f"round {number} {name:20} {spent:7.2f} µs/request {one['per_second']:9,.0f}/s")

    def measure_once(self, program, port):
        before = program.cpu_seconds()
        one = load.run(self.scenario, port, self.options.seconds, self.load_cpu)
        after = program.cpu_seconds()
        return {**one, "user": after[0] - before[0], "system": after[1] - before[1]}

    def count(self, figures):
        """Adds system calls and instructions per request to the figures."""
        for name, (program, port) in self.running.items():
            if self.options.calls and figures[name]:
                log = self.folder / f"{name}.strace"
                calls = counting.system_calls(program, self.scenario, port, self.load_cpu, log)
                figures[name]["calls_by_name"] = calls
                figures[name]["calls"] = sum(calls.values()) if calls else None
                say(f"calls   {name:20} {report.number(figures[name]['calls'], digits=2)} a request")
            if self.options.instructions and figures[name]:

                def again(prefix, name=name):
                    port = processes.free_port()
                    return self.start("contender", name, port, self.proxy_cpu, prefix), port

                figures[name]["instructions"] = counting.instructions(again, self.scenario, self.load_cpu)

    def result(self):
        figures = {name: report.summarise(rounds) for name, rounds in self.rounds.items()}
        commands = dict(self.commands)
        self.count(figures)
        commands["load"] = " ".join(load.command(self.scenario, "PORT", self.options.seconds))
        where = f"proxy on CPU {self.proxy_cpu}, load and upstream on CPU {self.load_cpu}"
        return {
            "name": self.scenario["name"],
            "title": self.scenario["title"],
            "method": f"{self.options.rounds} interleaved rounds of {self.options.seconds} s, "
            f"{self.scenario['connections']} keep-alive connections, {len(self.body)} B bodies; {where}; "
            "medians, minima beside them. CPU is user and system time of the proxy's processes.",
            "contenders": self.options.only or self.scenario["contenders"],
            "titles": {name: row["title"] for name, row in self.table["contender"].items()},
            "ratios_to": self.scenario["ratios_to"],
            "targets": self.scenario.get("target", []),
            "figures": figures,
            "rounds": self.rounds,
            "absent": self.absent,
            "commands": commands,
        }


def say(text):
    print(text, flush=True)


def machine(table, options):
    """What a reader needs to know about where the figures come from."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    programs = {"PERILUNE": str(options.perilune), "RELAY": str(options.relay)}
    versions = {"wrk": first_line(["wrk", "-v"])}
    for row in [*table["upstream"].values(), *table["contender"].values()]:
        words = [scenarios.fill(word, programs) for word in row.get("version", [])]
        if words and shutil.which(words[0]):
            versions[os.path.basename(words[0])] = first_line(words)
    commit = first_line(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    return {
        "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
        "cpu": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average before": f"{os.getloadavg()[0]:.2f}",
        "commit": commit,
        "versions": versions,
    }


def first_line(words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return "-"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "-"


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help="names of scenarios (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each round, whole")
    parser.add_argument("--only", type=lambda text: text.split(","), help="contenders, with commas")
    parser.add_argument("--no-calls", dest="calls", action="store_false", help="leave strace out")
    parser.add_argument("--instructions", action="store_true", help="count them with callgrind: slow")
    parser.add_argument("--proxy-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--perilune", type=pathlib.Path, default=ROOT / "build/release/perilune")
    parser.add_argument("--relay", type=pathlib.Path, default=ROOT / "build/release/tests/bench/relay")
    parser.add_argument("--scenarios", type=pathlib.Path, default=HERE / "scenarios.toml")
    parser.add_argument("--name", default=platform.node() or "machine", help="of the results: DATE-NAME")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    return parser.parse_args(arguments)


def save(options, text, data):
    options.results.mkdir(parents=True, exist_ok=True)
    stem = f"{datetime.date.today().isoformat()}-{options.name}"
    (options.results / f"{stem}.md").write_text(text)
    (options.results / f"{stem}.json").write_text(data)
    say(f"written: {os.path.relpath(options.results / stem)}.md and .json")


def main(arguments):
    """0 when everything ran without an error of any request; targets that are missed only show."""
    options = parse(arguments)
    table = scenarios.read(options.scenarios)
    chosen = [one for one in table["scenario"] if not options.scenario or one["name"] in options.scenario]
    unknown = set(options.scenario) - {one["name"] for one in chosen}
    unknown |= set(options.only or []) - set(table["contender"])
    if unknown:
        raise scenarios.Mistake(f"unknown: {', '.join(sorted(unknown))}")
    about = machine(table, options)
    results = []
    for scenario in chosen:
        with contextlib.ExitStack() as cleanup:
            folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="versus-")))
            folder.chmod(0o755)  # nginx's worker is another user
            bench = Bench(options, table, scenario, folder, cleanup)
            bench.start_all()
            bench.measure()
            results.append(bench.result())
    text = report.markdown(about, results)
    save(options, text, report.as_json(about, results))
    say("\n" + text)
    failed = [name for one in results for name, figures in one["figures"].items() if not figures or figures["errors"]]
    if failed:
        say(f"requests failed: {', '.join(failed)}")
    return 1 if failed else 0


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (processes.Failure, scenarios.Mistake) as error:
        sys.exit(f"versus: {error}")
