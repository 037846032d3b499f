#!/usr/bin/env python3
"""Perilune beside other proxies, each with one worker on a CPU of its own. See README.md in this folder."""

import argparse
import contextlib
import datetime
import os
import pathlib
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from benchlib import counting, load, measures, processes, report, scenarios  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Of a proxy, beside two for each client: listeners, logs, event loops.
SPARE_DESCRIPTORS = 256


class Bench:
    """One scenario: its upstream and its contenders, all running, measured in turns."""

    def __init__(self, options, table, scenario, folder, cleanup):
        self.options, self.table, self.scenario = options, table, scenario
        self.folder, self.cleanup = folder, cleanup
        self.measure = measures.MEASURES[scenario["measure"]]
        self.load_cpus = processes.choose_cpus(options.load_cpu)
        self.contenders = chosen_contenders(options, scenario)
        self.body = "x" * scenario["body_bytes"]
        (folder / "body").write_text(self.body)
        self.values = {
            "DIR": str(folder),
            "HERE": str(HERE),
            "BODY": self.body,
            "BODY_BYTES": len(self.body),
            "PERILUNE": str(options.perilune),
            "RELAY": str(options.relay),
            "UPSTREAM_A": processes.free_port(),
            "UPSTREAM_B": processes.free_port(),
        }
        self.running, self.absent, self.commands = {}, {}, {}
        self.rounds = {}

    def launch(self, kind, name, port, prefix=()):
        """Starts a program of the table; it ends with this bench at the latest."""
        row = self.table[kind][name]
        values = {**self.values, "PORT": port, "NAME": f"{kind}-{name}"}
        if "config" in row:
            source = HERE / row["config"]
            values["CONFIG"] = self.folder / f"{kind}-{name}{source.suffix}"
            text = scenarios.fill_config(scenarios.read_config(source), row.get("replace", {}), values)
            values["CONFIG"].write_text(text)
        words = [scenarios.fill(word, values) for word in row["command"]]
        self.commands[name] = self.presentable(" ".join(words))
        cpus = self.load_cpus if kind == "upstream" else self.proxy_cpus(row)
        program = processes.Program(name, [*prefix, *words], cpus, self.folder / f"{kind}-{name}.out")
        self.cleanup.callback(program.stop)
        return program

    def start_upstream(self):
        if "upstream" in self.scenario:
            port = self.values["UPSTREAM_A"]
            self.launch("upstream", self.scenario["upstream"], port).wait_until_it_accepts(port)

    def start(self, name, prefix=()):
        """Starts a contender and waits for its first good answer: what the rounds need of it."""
        port = processes.free_port()
        program = self.launch("contender", name, port, prefix)
        program.wait_until_it_answers(port, self.scenario, self.body, 60 if prefix else 10)
        return measures.Run(self.scenario, program, port, self.load_cpus, self.options.seconds)

    def proxy_cpus(self, row):
        return processes.choose_cpus(self.options.proxy_cpu, row.get("cpus", 1), self.options.load_cpu)

    def presentable(self, text):
        """A command line without the paths of this machine."""
        return text.replace(str(self.folder), "DIR").replace(str(ROOT) + "/", "")

    def why_absent(self, name):
        """Why this contender cannot be measured here, or None."""
        row = self.table["contender"][name]
        program = row["command"][0]
        if not shutil.which(scenarios.fill(program, self.values)):
            return "not built" if program.startswith("@") else "not installed"
        if not all(os.path.exists(file) for file in row.get("needs", [])):
            return "not installed"
        needed = 2 * self.scenario["connections"] + SPARE_DESCRIPTORS
        if needed > self.options.descriptors:
            return f"needs {needed} descriptors"
        return None

    def start_all(self):
        self.start_upstream()
        for name in self.contenders:
            if reason := self.why_absent(name):
                self.absent[name] = reason
                say(f"{name}: {reason}, left out")
                continue
            self.running[name] = None if self.measure.restarts else self.start(name)
            self.rounds[name] = []

    def measure_all(self):
        for run in self.running.values():
            if run:
                self.measure.warm_up(run)
        for number in range(1, self.options.rounds + 1):
            for name, run in self.running.items():
                one = self.measure.one_round(run) if run else self.measure_anew(name)
                self.rounds[name].append(one)
                say(f"{self.scenario['name']} round {number} {name:20} {self.measure.sentence(one)}")

    def measure_anew(self, name):
        run = self.start(name)
        try:
            self.measure.warm_up(run)
            return self.measure.one_round(run)
        finally:
            run.program.stop()

    def count(self, figures):
        """Adds system calls and instructions per unit to the figures of programs that are under load."""
        for name, run in self.running.items():
            if not run or not figures[name]:
                continue
            if self.options.calls:
                log = self.folder / f"{name}.strace"
                calls = counting.system_calls(run.program, self.scenario, run.port, self.load_cpus, log)
                figures[name]["calls_by_name"] = calls
                figures[name]["calls"] = sum(calls.values()) if calls else None
                count = report.number(figures[name]["calls"], digits=2)
                say(f"{self.scenario['name']} calls   {name:20} {count} per {self.scenario['per']}")
            if self.options.instructions:

                def again(prefix, name=name):
                    anew = self.start(name, prefix)
                    return anew.program, anew.port

                figures[name]["instructions"] = counting.instructions(again, self.scenario, self.load_cpus)

    def result(self):
        figures = {name: self.measure.summarise(rounds) for name, rounds in self.rounds.items()}
        commands = dict(self.commands)
        self.count(figures)
        if not self.measure.restarts:
            commands["load"] = shlex.join(load.command(self.scenario, "PORT", self.options.seconds))
        return {
            "name": self.scenario["name"],
            "title": self.scenario["title"],
            "method": self.method(),
            "measure": self.scenario["measure"],
            "per": self.scenario["per"],
            "columns": self.measure.columns(self.scenario),
            "contenders": self.contenders,
            "titles": {name: self.table["contender"][name]["title"] for name in self.contenders},
            "ratios_to": self.scenario["ratios_to"],
            "targets": self.scenario["target"],
            "figures": figures,
            "rounds": self.rounds,
            "absent": self.absent,
            "commands": commands,
        }

    def method(self):
        def shown(cpus):
            return "any CPU" if cpus is None else f"CPU {', '.join(map(str, sorted(cpus)))}"

        length = "" if self.measure.restarts else f" of {self.options.seconds} s"
        return (
            f"{self.options.rounds} interleaved rounds{length}, {len(self.body)} B bodies, "
            f"{self.measure.method(self.scenario)}. Proxy on {shown(self.proxy_cpus({}))}, load and upstream on "
            f"{shown(self.load_cpus)}. Medians, minima beside them."
        )


def chosen_contenders(options, scenario):
    return [name for name in scenario["contenders"] if not options.only or name in options.only]


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
    parser.add_argument(
        "--only", type=lambda text: text.split(","),
        help="contenders, with commas; scenarios without them are left out",
    )
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
    chosen = [one for one in chosen if chosen_contenders(options, one)]
    options.descriptors = processes.raise_descriptor_limit()
    about = machine(table, options)
    results = []
    for scenario in chosen:
        with contextlib.ExitStack() as cleanup:
            folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="versus-")))
            folder.chmod(0o755)  # nginx's worker is another user
            bench = Bench(options, table, scenario, folder, cleanup)
            bench.start_all()
            bench.measure_all()
            results.append(bench.result())
    text = report.markdown(about, results)
    save(options, text, report.as_json(about, results))
    say("\n" + text)
    failed = [
        f"{one['name']} {name}"
        for one in results
        for name, figures in one["figures"].items()
        if not figures or figures["errors"]
    ]
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
