"""From rounds to figures, and from figures to a table that people read and one that programs read."""

import json
import statistics

MICRO = 1e6


def summarise(rounds):
    """Medians and minima of one contender's rounds. CPU figures in seconds per request."""
    totals = [(r["user"] + r["system"]) / r["requests"] for r in rounds if r["requests"]]
    if not totals:
        return None
    errors = {}
    for one in rounds:
        for name, count in one["errors"].items():
            errors[name] = errors.get(name, 0) + count
    return {
        "cpu": statistics.median(totals),
        "cpu_min": min(totals),
        "user": statistics.median(r["user"] / r["requests"] for r in rounds if r["requests"]),
        "system": statistics.median(r["system"] / r["requests"] for r in rounds if r["requests"]),
        "per_second": statistics.median(r["per_second"] for r in rounds),
        "per_second_max": max(r["per_second"] for r in rounds),
        "p50": statistics.median(r["p50"] for r in rounds),
        "p99": statistics.median(r["p99"] for r in rounds),
        "requests": sum(r["requests"] for r in rounds),
        "errors": errors,
    }


def ratio(figures, name, other, key):
    """figures[name][key] in units of figures[other][key], or None when one of them is missing."""
    mine, theirs = figures.get(name), figures.get(other)
    if not mine or not theirs or not theirs.get(key) or mine.get(key) is None:
        return None
    return mine[key] / theirs[key]


def judge(target, figures):
    """(sentence, reached): reached is None when it could not be measured."""
    name, measure, bound = target["contender"], target["measure"], target["at_most"]
    if "against" in target:
        value = ratio(figures, name, target["against"], measure)
        lowest = ratio(figures, name, target["against"], measure + "_min")
        what = f"{measure} of {name} at most {bound:.2f} of {target['against']}'s"
    else:
        value, lowest = (figures.get(name) or {}).get(measure), None
        what = f"{measure} of {name} at most {bound:g}"
    if value is None:
        return f"{what}: not measured", None
    shown = f"{value:.2f}" + (f" (minima {lowest:.2f})" if lowest is not None else "")
    return f"{what}: **{shown}**, {'reached' if value <= bound else 'missed'}", value <= bound


def number(value, scale=1.0, digits=1):
    return "-" if value is None else f"{value * scale:,.{digits}f}"


def table(result):
    """The markdown rows of one scenario."""
    figures, ratios_to = result["figures"], result["ratios_to"]
    titles = ["contender", "CPU µs/request", "min", "user", "system"]
    titles += [f"of {other} (min)" for other in ratios_to]
    titles += ["requests/s", "p50 µs", "p99 µs", "calls/request", "user instructions", "errors"]
    rows = ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 1)]
    for name in result["contenders"]:
        one = figures.get(name)
        if not one:
            rows.append(f"| {result['titles'][name]} | {result['absent'].get(name, '-')} |" + " |" * (len(titles) - 2))
            continue
        cells = [result["titles"][name]]
        cells += [number(one[key], MICRO, 2) for key in ("cpu", "cpu_min", "user", "system")]
        for other in ratios_to:
            median, lowest = (ratio(figures, name, other, key) for key in ("cpu", "cpu_min"))
            cells.append(f"{number(median, digits=2)} ({number(lowest, digits=2)})")
        cells += [number(one["per_second"], digits=0), number(one["p50"], MICRO, 0), number(one["p99"], MICRO, 0)]
        cells += [number(one.get("calls"), digits=2), number(one.get("instructions"), digits=0)]
        cells.append(", ".join(f"{kind} {count}" for kind, count in one["errors"].items()) or "0")
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def markdown(machine, results):
    """The whole report."""
    lines = [f"# Versus, {machine['date']}", ""]
    lines += [f"- {key}: {value}" for key, value in machine.items() if key != "versions"]
    lines += [f"- {name}: {version}" for name, version in machine["versions"].items()]
    for result in results:
        lines += ["", f"## {result['name']}: {result['title']}", ""]
        lines += [result["method"], ""]
        lines += table(result)
        calls = {name: one["calls_by_name"] for name, one in result["figures"].items() if one and one.get("calls_by_name")}
        if calls:
            lines += ["", "System calls per request:", ""]
        for name, by_name in calls.items():
            lines.append(f"- {name}: " + ", ".join(f"{call} {count:.2f}" for call, count in by_name.items()))
        if result["targets"]:
            lines += ["", "Targets:", ""] + [f"- {judge(target, result['figures'])[0]}" for target in result["targets"]]
        lines += ["", "Command lines:", ""]
        lines += [f"- {name}: `{words}`" for name, words in result["commands"].items()]
    return "\n".join(lines) + "\n"


def as_json(machine, results):
    return json.dumps({"machine": machine, "scenarios": results}, indent=2, ensure_ascii=False) + "\n"
