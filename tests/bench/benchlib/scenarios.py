"""Scenarios and contenders as scenarios.toml describes them, and the filling-in of templates."""

import re
import tomllib

MARK = re.compile(r"@([A-Z_]+)@")
CONTENDER_KEYS = {"title", "config", "replace", "command", "version"}
SCENARIO_KEYS = {
    "name", "title", "upstream", "body_bytes", "path", "connections", "contenders", "ratios_to",
    "target", "wrk_script",
}
MEASURES = {"cpu", "calls"}


class Mistake(Exception):
    """scenarios.toml, a template or a command line says something that cannot be."""


def fill(text, values):
    """text with every @MARK@ replaced; an unknown mark is a mistake."""

    def value(match):
        if match[1] not in values:
            raise Mistake(f"unknown mark @{match[1]}@")
        return str(values[match[1]])

    return MARK.sub(value, text)


def fill_config(text, replace, values):
    """A configuration file with its marks filled in. Each text of `replace` has to occur."""
    for old, new in replace.items():
        if old not in text:
            raise Mistake(f"nothing to replace: {old}")
        text = text.replace(old, new)
    return fill(text, values)


def read(path):
    """{"scenario": [...], "upstream": {...}, "contender": {...}}, checked."""
    with open(path, "rb") as file:
        table = tomllib.load(file)
    for name, contender in {**table["contender"], **table["upstream"]}.items():
        expect_keys(name, contender, CONTENDER_KEYS)
    for scenario in table["scenario"]:
        expect_keys(scenario["name"], scenario, SCENARIO_KEYS)
        for name in scenario["contenders"] + scenario["ratios_to"]:
            if name not in table["contender"]:
                raise Mistake(f"{scenario['name']}: no contender is called {name}")
        if scenario["upstream"] not in table["upstream"]:
            raise Mistake(f"{scenario['name']}: no upstream is called {scenario['upstream']}")
        for target in scenario.get("target", []):
            if target["measure"] not in MEASURES:
                raise Mistake(f"{scenario['name']}: cannot measure {target['measure']}")
    return table


def expect_keys(name, table, known):
    unknown = set(table) - known
    if unknown:
        raise Mistake(f"{name}: unknown {', '.join(sorted(unknown))}")
