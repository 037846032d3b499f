"""The load generator: wrk, and what it prints."""

import re
import subprocess

from . import processes, scenarios

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SPARE_SECONDS = 15


def command(scenario, port, seconds):
    words = ["wrk", "-t1", f"-c{scenario['connections']}", f"-d{seconds}s", "--latency"]
    if "wrk_script" in scenario:
        words += ["-s", scenario["wrk_script"]]
    for field in scenario.get("headers", []):
        words += ["-H", field]
    return [*words, f"http://127.0.0.1:{port}{scenario['path']}"]


def run(scenario, port, seconds, cpus):
    """Runs wrk for whole seconds and returns what parse() finds, by the scenario's units."""
    words = command(scenario, port, seconds)
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=seconds + SPARE_SECONDS,
        preexec_fn=processes.pin(cpus),
    )
    if done.returncode != 0:
        raise processes.Failure(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    found = parse(done.stdout)
    factor = scenarios.units_per_request(scenario)
    return {**found, "units": found["requests"] * factor, "per_second": found["per_second"] * factor}


def parse(text):
    """{requests, seconds, per_second, p50, p99, errors} from wrk's report; times in seconds."""
    total = re.search(r"(\d+) requests in ([\d.]+)(\w+)", text)
    if not total:
        raise processes.Failure(f"wrk printed no total:\n{text}")
    requests, seconds = int(total[1]), duration(total[2], total[3])
    errors = {}
    if found := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text):
        errors.update(zip(("connect", "read", "write", "timeout"), map(int, found.groups())))
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        errors["status"] = int(found[1])
    return {
        "requests": requests,
        "seconds": seconds,
        "per_second": requests / seconds if seconds else 0.0,
        "p50": percentile(text, 50),
        "p99": percentile(text, 99),
        "errors": {name: count for name, count in errors.items() if count},
    }


def percentile(text, percent):
    found = re.search(rf"^\s*{percent}%\s+([\d.]+)(\w+)", text, re.MULTILINE)
    return duration(found[1], found[2]) if found else None


def duration(number, unit):
    return float(number) * UNITS[unit]
