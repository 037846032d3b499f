"""What the sources of the engine say about the face that scripts see, for checkers of documentation.

Read from text, so that a check needs no build. Whoever changes the form of one of these tables sees a checker fail,
not fall silent: every reader raises when it finds nothing.
"""

import glob
import os
import re

# Lua's functions that the library makes anew, with the meaning they have in Lua.
LUAS_OWN = {"pairs", "print", "require"}
REGISTRY = "engine/filter/registry.cpp"
# Tables of options that filters and upstream share, and those of upstream alone.
FORWARD = "engine/filter/forward_settings.hpp"
CLUSTER = "engine/filter/cluster_settings.cpp"
CLUSTER_PARTS = "engine/filter/cluster_parts.hpp"


class Unreadable(Exception):
    """A table is not where or how it was; the reader has to learn the new form."""


def text_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def found(what, value):
    if not value:
        raise Unreadable(f"found no {what}")
    return value


def arrays(source):
    """{name: text between the braces} of every `constexpr std::array name = {…};`."""
    return dict(re.findall(r"constexpr std::array(?:<[^>]*>)? (\w+)\s*=?\s*\{(.*?)\};", source, re.S))


def option_names(body):
    return re.findall(r'OptionSpec\{"(\w+)"', body)


def filters(root):
    """{filter: {"arguments": [(name, is_required)], "options": [name]}}"""
    known = arrays(text_of(root, REGISTRY)) | arrays(text_of(root, FORWARD))
    specs = {}
    for name, arguments, options in re.findall(
        r'FilterSpec\{"(\w+)",\s*(\{\}|\w+),\s*(\{\}|\w+),', found("filter specs", known.get("specs"))
    ):
        described = re.findall(r'ArgumentSpec\{"(\w+)",[^}]*?(,\s*false)?\}', known.get(arguments, ""))
        specs[name] = {
            "arguments": [(argument, not optional) for argument, optional in described],
            "options": option_names(known.get(options, "")),
        }
    return found("filters", specs)


def listen_options(root):
    return found("options of listen", option_names(arrays(text_of(root, REGISTRY)).get("the_listen_options", "")))


def upstream_options(root):
    return found("options of upstream", option_names(arrays(text_of(root, CLUSTER)).get("the_upstream_options", "")))


def tables_within(root):
    """{class of lua/types: its fields} of options that are tables themselves."""
    known = arrays(text_of(root, FORWARD)) | arrays(text_of(root, CLUSTER_PARTS))
    names = {
        "RetryOptions": "retry_options", "HedgeOptions": "hedge_options", "UpstreamRequestOptions": "request_options",
        "RetryBudgetOptions": "budget_options", "DNSOptions": "dns_options", "HealthOptions": "health_options",
        "EjectionOptions": "ejection_options", "StickyOptions": "sticky_options",
        "SlowStartOptions": "slow_start_options",
    }
    return {name: found(array, option_names(known.get(array, ""))) for name, array in names.items()}


def functions(root):
    """{"json.encode": ["value"], "Data:sub": […], "sleep": […], "after": None} of the library; classes by their name in
    lua/types; None where the arguments are not told."""
    classes = {
        "balancer:": "LoadBalancer:", "percentile:": "Percentile:", "router:": "URLRouter:",
        "counter:": "Counter:", "gauge:": "Gauge:", "histogram:": "Histogram:",
        "data:": "Data:", "headers:": "Headers:", "message:": "Message:",
    }
    result = {}

    def add(prefix, signature):
        name, arguments = re.match(r"(\w+)\((.*)\)", signature).groups()
        if not name.startswith("__"):
            result[prefix + name] = re.findall(r"\w+", arguments)

    for path in sorted(glob.glob(os.path.join(root, "engine/script/bind_*.cpp"))):
        source = text_of(root, os.path.relpath(path, root))
        for prefix, entries in re.findall(
            r'(?:add_functions|make_class)\([^"]*?"([\w.: ]*)",\s*\{(\{"\w+\(.*?\})\}', source, re.S
        ):
            if prefix.endswith(" "):
                continue  # metamethods
            for signature in re.findall(r'\{"(\w+\([^"]*\))"', entries):
                add(classes.get(prefix, prefix), signature)
        for prefix, signature in re.findall(r'push_function\([^"]*"(\w+:)(\w+\([^"]*\))"', source):
            add(classes[prefix], signature)
    for path in sorted(glob.glob(os.path.join(root, "lua/*.lua"))):
        source = text_of(root, os.path.relpath(path, root))
        class_of = {"Pool": "ResourcePool:", "Cache": "Cache:", "http": "http.", "reload": "reload.",
                    "Upstream": "Cluster:"}
        if path.endswith("/shared.lua"):
            class_of["methods"] = "Shared:"
        for owner, name, arguments in re.findall(r"^function (\w+)[.:](\w+)\((.*?)\)", source, re.M):
            if owner in class_of and (owner, name) != ("Cache", "close"):  # close is the engine's
                result[class_of[owner] + name] = re.findall(r"\w+", arguments)
        for name, arguments in re.findall(r"^function globals\.([\w.]+)\((.*?)\)", source, re.M):
            if name not in LUAS_OWN:
                result[name] = re.findall(r"\w+", arguments)
        # Functions that another file or room made: their arguments are not to be seen here.
        for name in re.findall(r"^globals\.([\w.]+) = core\.", source, re.M):
            result[name] = None
    for name in re.findall(r'script_function<\w+>\);\s*lua_setfield\(L, -2, "(\w+)"\)', text_of(
            root, "engine/script/builder.cpp")):
        result[name] = None
    return found("functions", result)


def words(body):
    return re.findall(r'"(\w+)"', body)


def choices(root):
    """{option: the words that it may be}, where the engine has a list of them; one option of a name has them all."""
    result = {}
    for path in (REGISTRY, FORWARD, CLUSTER, CLUSTER_PARTS):
        source = text_of(root, path)
        lists = dict(re.findall(r'constexpr std::string_view (\w+) = "([\w|-]+)";', source))
        for name, quoted, named in re.findall(r'OptionSpec\{"(\w+)", [\w| ]*\bText\b[\w| ]*, (?:"([\w|-]+)"|(\w+))', source):
            result[name] = (quoted or lists[named]).split("|")
    return found("choices of options", result)


def close_reasons(root):
    """What onEvict may be told."""
    named = re.findall(r'CloseReason::\w+: return "([\w-]+)"', text_of(root, "engine/algo/pool_types.cpp"))
    ends = re.search(r"std::string_view names\[\] = \{(.*?)\};", text_of(root, "engine/upstream/cluster.cpp"))
    return found("reasons of onEvict", named) + found("ends of connections", re.findall(r'"([\w-]+)"', ends[1] if ends else ""))


def fields_set_by(root, path, function):
    """The names that a function sets in a table: set_number(L, "total", …), {"leased", …}, lua_setfield(L, -2, "closed")."""
    body = re.search(rf"^[\w:<> ]+ \*?{function}\(.*?^\}}", text_of(root, path), re.S | re.M)
    names = re.findall(r'(?:set_\w+\(L, |^\s+\{|lua_setfield\(L, -2, )"([a-z]\w*)"', body[0] if body else "", re.M)
    return found(f"fields set by {function}", names)


def named_values(root):
    """{class of lua/types: its fields} where the engine has a table of them."""
    def array(path, name):
        return found(name, words(arrays(text_of(root, path)).get(name, "")))

    def lua_set(path, name):
        body = re.search(name + r" = \{(.*?)\}", text_of(root, path), re.S)
        return found(name, re.findall(r"(\w+) = ", body[1] if body else ""))

    def of_upstream(function):
        return fields_set_by(root, "engine/script/bind_upstream.cpp", function)

    # Connections and requests are tables of their own within the totals.
    totals = of_upstream("set_totals")
    connections, requests = totals.index("connections"), totals.index("requests")
    numbers = ["connections", "requests", *totals[requests + 1:], "queueWait", "connectTime", "answerTime"]
    fields = array("engine/script/bind_message.cpp", "field_names")
    client = lua_set("lua/context.lua", "local client_names")
    return {
        "Message": [name for name in fields if name not in ("json", "setCookie")],
        "MessageFields": array("engine/script/message_make.cpp", "known_keys"),
        "CookieOptions": array("engine/script/message_params.cpp", "cookie_options"),
        "Context": lua_set("lua/context.lua", "local reserved"),
        "Client": client,
        "Upstream": found("fields of ctx.upstream", re.findall(
            r'"(\w+)"', re.search(r"int context_upstream\(.*?\n\}", text_of(
                root, "engine/script/context_tables.cpp"), re.S)[0])),
        **tables_within(root),
        "ClusterConnections": totals[:connections],
        "ClusterRequests": totals[connections + 1:requests],
        "DurationStats": of_upstream("set_times"),
        "ClusterStats": sorted({*numbers, "endpoints"}),
        "EndpointStats": sorted({*numbers, *of_upstream("set_state")}),
        "EndpointState": sorted({*of_upstream("set_state"), *of_upstream("endpoints")}),
        "Error": fields_set_by(root, "engine/script/binding.cpp", "push_error"),
        "ResourcePoolStats": fields_set_by(root, "engine/script/bind_pool.cpp", "pool_stats"),
        "HTTPGetOptions": lua_set("lua/http.lua", "local get_options"),
        "HTTPRequestTable": lua_set("lua/http.lua", "local table_options"),
        "MetricOptions": array("engine/script/bind_stats.cpp", "metric_options"),
        "HistogramOptions": array("engine/script/bind_stats.cpp", "histogram_options"),
        "EveryOptions": lua_set("lua/wait.lua", "local every_options"),
        "CacheOptions": lua_set("lua/cache.lua", "local option_names"),
        "ResourcePoolKeyOptions": lua_set("lua/pool.lua", "local key_options"),
        "ResourcePoolOptions": lua_set("lua/pool.lua", "local pool_options"),
    }


def limits(root):
    """{name: (the value as C++ writes it, the reason)}"""
    rows = re.findall(
        r"inline constexpr \w+ (\w+) = ([^;]+);\s*// (.+)", text_of(root, "engine/base/limits.hpp")
    )
    return found("limits", {name: (value.strip(), reason.strip()) for name, value, reason in rows})


def errors(root):
    """{code: status}"""
    rows = re.findall(r'\{ErrorCode::\w+, "([\w-]+)", (\d+),', text_of(root, "engine/base/error.cpp"))
    return found("error codes", {code: int(status) for code, status in rows})


# Where the defaults of options are written, and whose options they are.
DEFAULTS = {
    "engine/app/worker.cpp": ["listen"],
    "engine/filter/connect.cpp": ["connect"],
    "engine/filter/demux_http.cpp": ["demuxHTTP", "serveHTTP"],
    "engine/filter/mux_http.cpp": ["muxHTTP"],
    "engine/filter/forward_settings.cpp": ["forward"],
    "engine/filter/cluster_settings.cpp": ["upstream"],
    "engine/filter/handle.cpp": ["handleMessage", "handleMessageBody", "replaceMessage", "replaceMessageBody"],
    "engine/filter/small_filters.cpp": ["serveHTTP"],
}


def defaults(root):
    """{(filter, option): {defaults as people write them}}; an option may have one for HTTP and one for TCP."""
    known = limits(root)
    result = {}
    for path, owners in DEFAULTS.items():
        for option, expression in re.findall(
            r'\.(?:time|size|count|boolean|text)\("(\w+)",\s*((?:[^()]|\([^()]*\))+?)\)', text_of(root, path)
        ):
            for owner in owners:
                result.setdefault((owner, option), set()).add(readable(expression.strip(), known))
    return found("defaults", result)


def readable(expression, known):
    """`limits::head_timeout` as "10 s", 64 * 1024 as "64 KiB"; 0 is a limit that is not there."""
    name = re.fullmatch(r"(?:limits::)?(\w+)", expression)
    value = known[name[1]][0] if name and name[1] in known else expression
    special = {"0": "none", "Duration::max()": "never", 'plan->has_key ? 1 : 0': "1 with a key",
               "default_connections()": "half of the descriptors", "share": "a quarter of `maxConnections`"}
    if value in special:
        return special[value]
    if time := re.fullmatch(r"(\d+)(ms|s|min|h)", value):
        return f"{time[1]} {time[2]}"
    if re.fullmatch(r"[\d* ]+", value):
        product = 1
        for factor in value.split("*"):
            product *= int(factor)
        if name and "bytes" in name[1]:
            for unit, size in (("MiB", 1024 * 1024), ("KiB", 1024)):
                if product % size == 0:
                    return f"{product // size} {unit}"
        return str(product)
    return value.strip('"')
