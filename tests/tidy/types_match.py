"""The declarations in lua/types say what the engine has: every filter, option, function and field, and nothing else.

Usage: types_match.py ROOT

Findings: a filter, an argument, an option, a function or a field that only one side has; an argument that only one side
lets be left out; a default in a comment that is not the engine's; a public function without a sentence.
"""

import glob
import os
import re
import sys

import engine_facts
import tree


class Types:
    """What the declarations of a tree say."""

    def __init__(self, root):
        self.fields = {}  # class: {field: comment}
        self.parents = {}  # class: class
        self.aliases = {}  # name: what it stands for, as written
        # {"Pipeline:connect", "json.encode", "sleep": {"arguments": [(name, type, is_optional)], "place", …}}
        self.functions = {}
        for path in sorted(glob.glob(os.path.join(root, "lua/types/*.lua"))):
            self._read(root, os.path.relpath(path, root))
        engine_facts.found("declarations in lua/types", self.functions)

    def _read(self, root, path):
        comment, params, name, alias, locals_ = [], {}, None, None, {}
        for number, line in tree.lines(root, path):
            if match := re.match(r"---@alias (\w+)(.*)", line):
                alias = match[1]
                self.aliases[alias] = match[2]
            elif match := re.match(r"---\|\s*(.*)", line):
                self.aliases[alias] += match[1]
            elif match := re.match(r"---@class (\w+)(?:: (\w+))?", line):
                name = match[1]
                self.fields.setdefault(name, {})
                if match[2]:
                    self.parents[name] = match[2]
            elif match := re.match(r"---@field (\w+)\??\s+(.*)", line):
                self.fields[name][match[1]] = match[2]
            elif match := re.match(r"---@param (\w+)(\??) (\S+)", line):
                params[match[1]] = (match[3], bool(match[2]))
            elif re.match(r"--- ?\w", line):
                comment.append(line)
            elif match := re.match(r"function ([\w.:]+)\((.*)\) end", line):
                owner, separator, method = match[1].rpartition(":")
                full = locals_.get(owner, owner) + separator + method
                arguments = [
                    (argument, *params.get(argument, (None, False))) for argument in re.findall(r"\w+", match[2])
                ]
                undeclared = set(params) - {argument for argument, _, _ in arguments}
                self.functions[full] = {
                    "arguments": arguments, "place": f"{path}:{number}",
                    "has_text": bool(comment), "undeclared": undeclared,
                }
                comment, params = [], {}
            elif match := re.match(r"local (\w+) = \{\}", line):
                locals_[match[1]] = name
            elif not line.strip():
                comment, params = [], {}

    def all_fields(self, name):
        """Those of its parents too."""
        fields = dict(self.all_fields(self.parents[name])) if name in self.parents else {}
        fields.update(self.fields.get(name, {}))
        return fields


def differences(what, declared, actual):
    extra, missing = sorted(set(declared) - set(actual)), sorted(set(actual) - set(declared))
    return [f"{what}: {name} is declared in lua/types, the engine does not have it" for name in extra] + [
        f"{what}: {name} is not declared in lua/types" for name in missing
    ]


def check_defaults(owner, options, known):
    """`default …` in a comment of an option."""
    findings = []
    for option, comment in options.items():
        for default in sorted(known.get((owner, option), ())):
            said = "no limit" if default == "none" else default
            if said not in comment:
                findings.append(f"{owner}: the default of {option} is {said}, lua/types says: {comment}")
    return findings


def words_of(types, declared):
    """The quoted words that a declaration begins with, those of its aliases too."""
    kind = declared.split(" ")[0]
    for alias in re.findall(r"\b[A-Z]\w+", kind):
        kind += "|" + types.aliases.get(alias, "")
    return re.findall(r'"([\w-]+)"', kind)


def check_choices(types, owner, fields, choices):
    findings = []
    for name in sorted(set(fields) & set(choices)):
        said = words_of(types, fields[name])
        if said != choices[name]:
            findings.append(f"{owner}: {name} may be {choices[name]}, lua/types says {said}")
    return findings


def check_options(types, owner, declared, actual, known):
    """The options that a filter takes, by the class of its last argument."""
    options_class = declared[-1][1] if declared and declared[-1][0] == "options" else None
    fields = types.all_fields(options_class) if options_class else {}
    return differences(f"{owner}: option", fields, actual) + check_defaults(owner, fields, known)


def check_words(root, types):
    """Words that are chosen from a list, in every class that has such an option; and those that scripts are told."""
    choices = engine_facts.choices(root)
    findings = [finding for name in sorted(types.fields) if name.endswith("Options") or name == "AccessLog"
                for finding in check_choices(types, name, types.fields[name], choices)]
    declared = words_of(types, "EvictReason")
    return findings + differences("EvictReason", declared, engine_facts.close_reasons(root))


def check_filters(root, types):
    findings = []
    filters, known = engine_facts.filters(root), engine_facts.defaults(root)
    of_pipelines = [name for name in types.functions if name.startswith("Pipeline:")]
    declared = {name[len("Pipeline:"):]: types.functions[name] for name in of_pipelines}
    findings += differences("filter", declared, filters)
    for name in sorted(set(declared) & set(filters)):
        arguments = declared[name]["arguments"]
        positional = [(argument, not optional) for argument, _, optional in arguments if argument != "options"]
        if positional != filters[name]["arguments"]:
            findings.append(
                f"{name}: the engine takes {filters[name]['arguments']} (name, is required), "
                f"lua/types declares {positional}"
            )
        findings += check_options(types, name, arguments, filters[name]["options"], known)
    for entrance, options in (("listen", engine_facts.listen_options(root)), ("upstream", engine_facts.upstream_options(root))):
        arguments = types.functions.get(entrance, {"arguments": []})["arguments"]
        findings += check_options(types, entrance, arguments, options, known)
    return findings


def check_library(root, types):
    actual = engine_facts.functions(root)
    declared = {name: entry for name, entry in types.functions.items() if not name.startswith("Pipeline:")}
    findings = differences("function", declared, actual)
    for name in sorted(set(declared) & set(actual)):
        names = [argument for argument, _, _ in declared[name]["arguments"]]
        if actual[name] is not None and names != actual[name]:
            findings.append(f"{name}: the engine takes {actual[name]}, lua/types declares {names}")
    for name, fields in engine_facts.named_values(root).items():
        findings += differences(f"{name}: field", types.all_fields(name), fields)
    for entry in types.functions.values():
        if not entry["has_text"]:
            findings.append(f"{entry['place']}: a public function needs a sentence")
        for argument in entry["undeclared"]:
            findings.append(f"{entry['place']}: @param {argument} is not among the arguments")
        for argument, kind, _ in entry["arguments"]:
            if kind is None:
                findings.append(f"{entry['place']}: the argument {argument} has no @param")
    return findings


def check(root):
    """All findings, and the number of functions that were compared."""
    types = Types(root)
    return check_filters(root, types) + check_library(root, types) + check_words(root, types), len(types.functions)


if __name__ == "__main__":
    all_findings, count = check(sys.argv[1])
    tree.finish(all_findings, f"{count} declared functions")
