"""From rounds to figures, and from figures to a table that people read and one that programs read."""

import json


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
    figures, ratios_to, main = result["figures"], result["ratios_to"], result["measure"]
    front, back = result["columns"]
    titles = ["contender", *(title for title, *_ in front), *(f"of {other} (min)" for other in ratios_to)]
    titles += [*(title for title, *_ in back), "errors"]
    rows = ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 1)]
    for name in result["contenders"]:
        one = figures.get(name)
        if not one:
            rows.append(f"| {result['titles'][name]} | {result['absent'].get(name, '-')} |" + " |" * (len(titles) - 2))
            continue
        cells = [result["titles"][name]]
        cells += [number(one.get(key), scale, digits) for _, key, scale, digits in front]
        for other in ratios_to:
            middle, lowest = (ratio(figures, name, other, key) for key in (main, main + "_min"))
            cells.append(f"{number(middle, digits=2)} ({number(lowest, digits=2)})")
        cells += [number(one.get(key), scale, digits) for _, key, scale, digits in back]
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
            lines += ["", f"System calls per {result['per']}:", ""]
        for name, by_name in calls.items():
            lines.append(f"- {name}: " + ", ".join(f"{call} {count:.2f}" for call, count in by_name.items()))
        if result["targets"]:
            lines += ["", "Targets:", ""] + [f"- {judge(target, result['figures'])[0]}" for target in result["targets"]]
        lines += ["", "Command lines:", ""]
        lines += [f"- {name}: `{words}`" for name, words in result["commands"].items()]
    return "\n".join(lines) + "\n"


def as_json(machine, results):
    return json.dumps({"machine": machine, "scenarios": results}, indent=2, ensure_ascii=False) + "\n"
