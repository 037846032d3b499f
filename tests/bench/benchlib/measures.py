"""What a round measures, and which figures and columns come of it. A scenario's `measure` names one of these.

A measure has `restarts` (whether each round needs its contender anew), warm_up(run), one_round(run) → what
summarise() takes, sentence(one) for who watches, summarise(rounds) → figures, columns(scenario) → those in
front of the ratios and those behind them, method(scenario) → what a reader has to know. `run` is a program and
what is to be done with it.
"""

import statistics
import time
import typing

from . import idle, load, processes, scenarios

MICRO = 1e6
WARM_UP_CONNECTIONS = 16
# What a proxy does after its last answer, such as giving memory back, belongs to the round.
SETTLE_SECONDS = 0.5


class Run(typing.NamedTuple):
    scenario: dict
    program: processes.Program
    port: int
    load_cpus: set
    seconds: int


class Column(typing.NamedTuple):
    """One figure in the table: figures[key] times scale, with so many digits."""

    title: str
    key: str
    scale: float = 1.0
    digits: int = 0


def median(rounds, key, divide_by=None):
    """The median of the rounds that have this figure, by another one of theirs if that is given; None without any."""
    values = [one[key] / one[divide_by] if divide_by else one[key] for one in rounds if one[key] is not None]
    return statistics.median(values) if values else None


def add_up(errors_of_rounds):
    total = {}
    for errors in errors_of_rounds:
        for name, count in errors.items():
            total[name] = total.get(name, 0) + count
    return total


class CpuTime:
    """What a unit (a request, a MiB) costs in time on a CPU, under wrk."""

    restarts = False

    @staticmethod
    def warm_up(run):
        load.run(run.scenario, run.port, 1, run.load_cpus)  # caches, pools, JIT

    @staticmethod
    def one_round(run):
        before = run.program.cpu_seconds()
        one = load.run(run.scenario, run.port, run.seconds, run.load_cpus)
        user, system = processes.spent(before, run.program.cpu_seconds())
        return {**one, "user": user, "system": system}

    @staticmethod
    def sentence(one):
        spent = (one["user"] + one["system"]) / one["units"] * MICRO if one["units"] else 0
        return f"{spent:8.2f} µs {one['per_second']:9,.0f}/s"

    @staticmethod
    def summarise(rounds):
        """Medians and minima of one contender's rounds. CPU figures in seconds per unit."""
        good = [one for one in rounds if one["requests"]]
        if not good:
            return None
        totals = [(one["user"] + one["system"]) / one["units"] for one in good]
        return {
            "cpu": statistics.median(totals),
            "cpu_min": min(totals),
            "user": median(good, "user", "units"),
            "system": median(good, "system", "units"),
            "per_second": median(rounds, "per_second"),
            "per_second_max": max(one["per_second"] for one in rounds),
            "p50": median(rounds, "p50"),
            "p99": median(rounds, "p99"),
            "requests": sum(one["requests"] for one in rounds),
            "errors": add_up(one["errors"] for one in rounds),
        }

    @staticmethod
    def columns(scenario):
        per = scenario["per"]
        front = [Column(f"CPU µs/{per}", "cpu", MICRO, 2), Column("min", "cpu_min", MICRO, 2)]
        front += [Column(key, key, MICRO, 2) for key in ("user", "system")]
        rate = "requests/s" if per == "request" else f"{per}/s"
        back = [Column(rate, "per_second"), Column("p50 µs", "p50", MICRO), Column("p99 µs", "p99", MICRO)]
        back += [Column(f"calls/{per}", "calls", 1.0, 2), Column("user instructions", "instructions")]
        return front, back

    @staticmethod
    def method(scenario):
        return f"{scenario['connections']} connections. CPU is user and system time of the proxy's processes"


class IdleMemory:
    """What a client's connection costs in memory while nothing happens on it."""

    restarts = True

    @staticmethod
    def warm_up(run):
        with idle.Clients(run.port, run.scenario) as clients:
            clients.open(WARM_UP_CONNECTIONS)
        time.sleep(SETTLE_SECONDS)

    @staticmethod
    def one_round(run):
        before = run.program.resident_bytes()
        started = time.monotonic()
        with idle.Clients(run.port, run.scenario) as clients:
            clients.open(run.scenario["connections"])
            seconds = time.monotonic() - started
            time.sleep(SETTLE_SECONDS)
            grown = run.program.resident_bytes() - before
            errors = clients.errors()
        opened = clients.opened
        return {
            "memory": grown / opened if opened else None,
            "connections": opened,
            "seconds": seconds,
            "errors": errors,
        }

    @staticmethod
    def sentence(one):
        memory = "-" if one["memory"] is None else f"{one['memory']:,.0f}"
        return f"{memory:>8} B of each of {one['connections']:,} connections, opened in {one['seconds']:.1f} s"

    @staticmethod
    def summarise(rounds):
        """Median and minimum of one contender's rounds, in bytes per connection."""
        values = [one["memory"] for one in rounds if one["memory"] is not None]
        if not values:
            return None
        return {
            "memory": statistics.median(values),
            "memory_min": min(values),
            "connections": median(rounds, "connections"),
            "errors": add_up(one["errors"] for one in rounds),
        }

    @staticmethod
    def columns(scenario):
        front = [Column("B/connection", "memory"), Column("min", "memory_min")]
        return front, [Column("connections", "connections")]

    @staticmethod
    def method(scenario):
        return (
            f"{scenario['connections']} connections, opened one after the other, each idle after one answer. "
            "Memory is what the resident set of the proxy's processes grew by; each round starts the proxy anew"
        )


MEASURES = {"cpu": CpuTime, "memory": IdleMemory}
assert set(MEASURES) == set(scenarios.FIGURES)
