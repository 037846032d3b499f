"""Scenarios and contenders as scenarios.toml describes them, and the filling-in of templates."""

import re
import tomllib

MARK = re.compile(r"@([A-Z_]+)@")
INCLUDE = re.compile(r"@INCLUDE ([\w.-]+)@")
CONTENDER_KEYS = {"title", "config", "replace", "command", "version", "needs", "cpus"}
SCENARIO_KEYS = {
    "name", "title", "upstream", "body_bytes", "path", "connections", "contenders", "ratios_to",
    "target", "wrk_script", "measure", "per", "headers", "answer_headers",
}
# What a scenario may measure, and the figures of each that a target may be about.
FIGURES = {"cpu": {"cpu", "calls", "instructions"}, "memory": {"memory"}}
MIB = 1 << 20
# How many units the answer to one request is.
UNITS = {"request": lambda scenario: 1.0, "MiB": lambda scenario: scenario["body_bytes"] / MIB}


class Mistake(Exception):
    """scenarios.toml, a template or a command line says something that cannot be."""


def fill(text, values):
    """text with every @MARK@ replaced; an unknown mark is a mistake."""

    def value(match):
        if match[1] not in values:
            raise Mistake(f"unknown mark @{match[1]}@")
        return str(values[match[1]])

    return MARK.sub(value, text)


def read_config(path):
    """The template at path, with those that it takes in from its folder."""

    def included(match):
        other = path.parent / match[1]
        if not other.is_file():
            raise Mistake(f"{path.name}: there is no {match[1]}")
        return read_config(other).rstrip("\n")

    return INCLUDE.sub(included, path.read_text(encoding="utf-8"))


def fill_config(text, replace, values):
    """A configuration file with its marks filled in. Each text of `replace` has to occur."""
    for old, new in replace.items():
        if old not in text:
            raise Mistake(f"nothing to replace: {old}")
        text = text.replace(old, new)
    return fill(text, values)


def units_per_request(scenario):
    """What figures of this scenario are divided by, for each request."""
    return UNITS[scenario["per"]](scenario)


def read(path):
    """{"scenario": [...], "upstream": {...}, "contender": {...}}, checked, with defaults in place."""
    with open(path, "rb") as file:
        table = tomllib.load(file)
    for name, contender in {**table["contender"], **table["upstream"]}.items():
        expect_keys(name, contender, CONTENDER_KEYS)
    for scenario in table["scenario"]:
        scenario.setdefault("measure", "cpu")
        scenario.setdefault("per", "request")
        scenario.setdefault("target", [])
        expect_scenario(scenario, table)
    return table


def expect_scenario(scenario, table):
    """Refuses a scenario whose words lead nowhere."""
    expect_keys(scenario["name"], scenario, SCENARIO_KEYS)

    def expect(good, what):
        if not good:
            raise Mistake(f"{scenario['name']}: {what}")

    measure = scenario["measure"]
    expect(measure in FIGURES, f"cannot measure {measure}")
    expect(scenario["per"] in UNITS, f"there is nothing per {scenario['per']}")
    for name in scenario["contenders"]:
        expect(name in table["contender"], f"no contender is called {name}")
    for name in [*scenario["ratios_to"], *(target["contender"] for target in scenario["target"])]:
        expect(name in scenario["contenders"], f"{name} is not among its contenders")
    if "upstream" in scenario:
        expect(scenario["upstream"] in table["upstream"], f"no upstream is called {scenario['upstream']}")
    for target in scenario["target"]:
        expect(target["measure"] in FIGURES[measure], f"cannot measure {target['measure']}")
        against = target.get("against", target["contender"])
        expect(against in scenario["contenders"], f"{against} is not among its contenders")


def expect_keys(name, table, known):
    unknown = set(table) - known
    if unknown:
        raise Mistake(f"{name}: unknown {', '.join(sorted(unknown))}")
