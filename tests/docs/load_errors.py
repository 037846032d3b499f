"""What `perilune check` says of wrong scripts: exit code 1, file:line, the offending word, and the nearest name."""

import http.client
import signal
import socket
import subprocess
import time
import unittest
from typing import NamedTuple

import program


class Wrong(NamedTuple):
    name: str
    script: str
    place: str  # the file:line that the message begins with
    says: tuple  # and what it says, in this order


RESPONSE = 'Message "x"'
UPSTREAM = '"127.0.0.1:9000"'

CASES = [
    # names that are nearly right
    Wrong("a filter", 'pipeline("a")\n  :muxHTP("b")', "proxy.lua:2", ('"muxHTP"', 'did you mean "muxHTTP"?')),
    Wrong("a filter in another case", f"listen(1):serveHttp({RESPONSE})", "proxy.lua:1",
          ('"serveHttp"', 'did you mean "serveHTTP"?')),
    Wrong("a filter that is read, not called", "local p = pipeline()\nlocal f = p.rote", "proxy.lua:2",
          ('"rote"', 'did you mean "route"?')),
    Wrong("an option of connect", f"listen(1)\n  :connect({UPSTREAM}, {{ conectTimeout = 3 }})", "proxy.lua:2",
          ("connect:", '"conectTimeout"', 'did you mean "connectTimeout"?')),
    Wrong("an option of listen", "listen(1, { headTimeuot = 3 })", "proxy.lua:1",
          ("listen:", '"headTimeuot"', 'did you mean "headTimeout"?')),
    Wrong("an option of muxHTTP", f'pipeline():muxHTTP(pipeline():connect({UPSTREAM}), "k", {{ pipeling = 3 }})',
          "proxy.lua:1", ("muxHTTP:", '"pipeling"', 'did you mean "pipelining"?')),
    Wrong("an option of a handler", "pipeline():handleMessage(function() end, { limt = 3 })", "proxy.lua:1",
          ("handleMessage:", '"limt"', 'did you mean "limit"?')),
    Wrong("an option of a pool", "algo.ResourcePool(function() end, { idleTimout = 3 })", "proxy.lua:1",
          ("algo.ResourcePool:", '"idleTimout"', 'did you mean "idleTimeout"?')),
    Wrong("an option of every", "every(5, function() end, { wroker = 'one' })", "proxy.lua:1",
          ("every:", '"wroker"', 'did you mean "worker"?')),
    Wrong("a pipeline", f'listen(1)\n  :demuxHTTP("fowrard")\npipeline("forward"):replaceMessage({RESPONSE})',
          "proxy.lua:2", ('no pipeline "fowrard"', 'did you mean "forward"?')),
    Wrong("a pipeline in route's list",
          f'pipeline("forward"):replaceMessage({RESPONSE})\n'
          'listen(1):demuxHTTP(pipeline():route(function() end,\n  { "forward", "forwrad" }))',
          "proxy.lua:2", ('no pipeline "forwrad"', 'did you mean "forward"?')),
    Wrong("a global", "local port = 1\nlissten(port)", "proxy.lua:2", ('"lissten"', 'did you mean "listen"?')),
    Wrong("a local", "local router = 1\nprint(ruoter)", "proxy.lua:2", ('"ruoter"', 'did you mean "router"?')),
    Wrong("a part of the library", "algo.ResorcePool(function() end)", "proxy.lua:1",
          ("algo", '"ResorcePool"', 'did you mean "ResourcePool"?')),
    Wrong("a method of a pool", 'local p = algo.ResourcePool(function() end)\np:alocate("x")', "proxy.lua:2",
          ('"alocate"', 'did you mean "allocate"?')),
    Wrong("a key of Message", "local m = Message { stauts = 200 }", "proxy.lua:1",
          ("Message:", '"stauts"', 'did you mean "status"?')),
    Wrong("a field of a message", f"local m = {RESPONSE}\nm.stauts = 200", "proxy.lua:2",
          ('"stauts"', 'did you mean "status"?')),
    Wrong("a module", 'local m = require "plugns"', "proxy.lua:1", ('no module "plugns"', 'did you mean "plugins"?')),
    # names that are nothing like it
    Wrong("a module that is not there", 'local m = require "jwt.check"', "proxy.lua:1",
          ('no module "jwt.check"', "jwt/check.lua", "jwt/check/init.lua")),
    Wrong("a module above the script", 'local m = require "../other"', "proxy.lua:1",
          ('"../other"', "names with dots")),
    Wrong("a library that scripts do not get", 'io.open("x")', "proxy.lua:1", ("io is not available", "file.read")),
    Wrong("assignment to a global", "\nrouter = 1", "proxy.lua:2", ('"router"', "local router")),
    Wrong("assignment to the engine's", "listen = 1", "proxy.lua:1", ('"listen"', "local listen")),
    Wrong("assignment into the library", "algo.Cache = nil", "proxy.lua:1",
          ("algo.Cache:", "belongs to the engine and cannot be changed")),
    Wrong("addition to the library", "json.mine = 1", "proxy.lua:1", ("json.mine:", "cannot be changed")),
    Wrong("names of ctx as keys", "context { target = true }", "proxy.lua:1",
          ("context:", 'context { "target" }', 'the key "target"')),
    Wrong("a reserved name of ctx", 'context { "client" }', "proxy.lua:1", ("context:", '"client"')),
    Wrong("a method of a cache", "local c = algo.Cache()\nc:gte(1)", "proxy.lua:2",
          ('a Cache has no "gte"', 'did you mean "get"?')),
    Wrong("a method of a router", 'local r = algo.URLRouter {}\nr:fnid("/")', "proxy.lua:2",
          ('a URLRouter has no "fnid"', 'did you mean "find"?')),
    Wrong("a method of a balancer", 'algo.RoundRobinLoadBalancer { "a:1" }:selct()', "proxy.lua:1",
          ('a LoadBalancer has no "selct"', 'did you mean "select"?')),
    Wrong("a method of a Percentile", "algo.Percentile { 1 }:obsreve(1)", "proxy.lua:1",
          ('a Percentile has no "obsreve"', 'did you mean "observe"?')),
    Wrong("a method of a Data", 'Data("x"):fnd("x")', "proxy.lua:1", ('a Data has no "fnd"', 'did you mean "find"?')),
    Wrong("an option of a cache", "algo.Cache(function() end, { tll = 3 })", "proxy.lua:1",
          ("algo.Cache:", 'unknown option "tll"', 'did you mean "ttl"?')),
    Wrong("an option of a cache with a release", "algo.Cache(nil, function() end, { szie = 3 })", "proxy.lua:1",
          ("algo.Cache:", 'unknown option "szie"', 'did you mean "size"?')),
    Wrong("an option of file.read", 'file.read("x", { limt = 3 })', "proxy.lua:1",
          ("file.read:", 'unknown option "limt"', 'did you mean "limit"?')),
    Wrong("an option of http.get", 'every(1, print)\nhttp.get("http://a/", { timout = 3 })', "proxy.lua:2",
          ("http.get:", 'unknown option "timout"', 'did you mean "timeout"?')),
    Wrong("an option of a counter", 'stats.Counter("c", nil, { hepl = "x" })', "proxy.lua:1",
          ("stats.Counter:", 'unknown option "hepl"', 'did you mean "help"?')),
    Wrong("an admin page that is no path", 'admin("sessions", print)', "proxy.lua:1",
          ("admin: argument 1 (path)", '"/sessions"', '"sessions"')),
    Wrong("an admin page of the engine", 'admin("/status/mine", print)', "proxy.lua:1",
          ("admin:", '"/status" is a page of the engine', "another path")),
    Wrong("an admin page without its function", 'admin("/mine")', "proxy.lua:1",
          ("admin: argument 2 (fn) expects a function", "got nil")),
    Wrong("an admin page twice", 'admin("/mine", print)\nadmin("/mine", print)', "proxy.lua:2",
          ("admin: there is a page /mine already",)),
    Wrong("a metric without a name", 'stats.Counter("my counter")', "proxy.lua:1",
          ("stats.Counter:", '"my counter" is no name of a metric')),
    # values of a wrong kind
    Wrong("a number for a pipeline", "listen(1):demuxHTTP(5)", "proxy.lua:1",
          ("demuxHTTP:", "argument 1 (pipeline)", "got a number")),
    Wrong("a table for a target", "listen(1):connect({})", "proxy.lua:1",
          ("connect:", "argument 1 (target)", "got a table")),
    Wrong("nothing for a handler", "listen(1):handleSessionStart()", "proxy.lua:1",
          ("handleSessionStart:", "argument 1 (handler)", "expects a function", "got nothing")),
    Wrong("a table for a Message", "listen(1):serveHTTP { status = 200 }", "proxy.lua:1",
          ("serveHTTP:", "a function or a Message", "got a table")),
    Wrong("a request for an answer", 'listen(1):serveHTTP(Message { method = "GET" })', "proxy.lua:1",
          ("serveHTTP:", "a request answers nothing")),
    Wrong("one argument too many", 'pipeline():demuxHTTP("a", {}, 3)', "proxy.lua:1",
          ("demuxHTTP:", "at most 1 argument", "got 3")),
    Wrong("a dot for a colon", 'listen(1).demuxHTTP("a")', "proxy.lua:1", ("demuxHTTP:", "with a colon", '"a"')),
    Wrong("an unknown word", 'pipeline():handleMessage(function() end, { over = "pas" })', "proxy.lua:1",
          ("handleMessage:", '"over"', '"error" or "pass"', '"pas"')),
    Wrong("a map for a list of targets", 'algo.RoundRobinLoadBalancer { ["a:1"] = 2 }', "proxy.lua:1",
          ("algo.RoundRobinLoadBalancer:", "write a list", '"a:1"')),
    Wrong("a status that is none", "local m = Message { status = 99 }", "proxy.lua:1", ("status", "200 to 599", "99")),
    Wrong("a line break in a field", 'local m = Message { headers = { via = "a\\r\\nb" } }', "proxy.lua:1",
          ("headers", '"via"', "CR, LF")),
    # times, sizes, numbers, addresses
    Wrong("a timeout of zero", f"listen(1):connect({UPSTREAM}, {{ connectTimeout = 0 }})", "proxy.lua:1",
          ("connect:", '"connectTimeout"', "0", "false for never")),
    Wrong("the filter timeout of zero", "pipeline():timeout(0)", "proxy.lua:1",
          ("timeout:", "argument 1 (time)", "0", "false for never")),
    Wrong("an unknown unit of time", 'listen(1, { idleTimeout = "5 parsecs" })', "proxy.lua:1",
          ("listen:", '"idleTimeout"', '"5 parsecs"', '"5s"')),
    Wrong("a time that is negative", "listen(1, { idleTimeout = -1 })", "proxy.lua:1",
          ("listen:", '"idleTimeout": a time cannot be negative')),
    Wrong("a size that is negative", "listen(1, { bufferLimit = -1 })", "proxy.lua:1",
          ("listen:", '"bufferLimit": a size is at least 0')),
    Wrong("a cache's time that is none", 'algo.Cache(nil, { ttl = "soon" })', "proxy.lua:1",
          ("algo.Cache:", 'option "ttl" expects', '"soon"')),
    Wrong("a number for options", f"listen(1):connect({UPSTREAM}, 5)", "proxy.lua:1",
          ("connect: options are a table, got 5",)),
    Wrong("an unknown unit of size", 'listen(1, { bufferLimit = "lots" })', "proxy.lua:1",
          ("listen:", '"bufferLimit"', '"lots"', '"16k"')),
    Wrong("half a connection", "listen(1, { maxConnections = 1.5 })", "proxy.lua:1",
          ("listen:", '"maxConnections"', "whole number")),
    Wrong("a port that is none", "listen(70000)", "proxy.lua:1", ("listen:", "65535", "70000")),
    Wrong("a name to listen at", 'listen("localhost:80")', "proxy.lua:1", ("listen:", "IP address", '"localhost:80"')),
    Wrong("a target without port", 'listen(1):connect("127.0.0.1")', "proxy.lua:1",
          ("connect:", '"127.0.0.1"', "no port")),
    Wrong("a pool without room", "algo.ResourcePool(function() end, { max = 0 })", "proxy.lua:1",
          ("algo.ResourcePool:", "max", "above 0")),
    Wrong("a proxy that is no network", 'listen(1, {\n  trustedProxies = { "10.0.0.0/8", "10.0.0.0/33" } })', "proxy.lua:1",
          ("listen:", '"trustedProxies"', '"10.0.0.0/33" is no network', "0 to 32")),
    Wrong("a proxy's network with its address", 'listen(1, { trustedProxies = { "10.0.0.7/8" } })', "proxy.lua:1",
          ("listen:", '"trustedProxies"', '"10.0.0.7/8"', 'did you mean "10.0.0.0/8"?')),
    Wrong("proxies without a list", 'listen(1, { trustedProxies = "10.0.0.0/8" })', "proxy.lua:1",
          ("listen:", '"trustedProxies"', "a list of strings", "got a string")),
    Wrong("a form of access log", 'listen(1, { accessLog = "combind" })', "proxy.lua:1",
          ("listen:", '"accessLog"', '"common" or "combined" or "json"', '"combind"')),
    Wrong("an access log of a number", "listen(1, { accessLog = 5 })", "proxy.lua:1",
          ("listen:", '"accessLog"', "got a number")),
    Wrong("a member of accessLog", 'listen(1, { accessLog = { formt = "json" } })', "proxy.lua:1",
          ("listen:", '"accessLog"', '"formt"', 'did you mean "format"?')),
    Wrong("an access log without a name", 'listen(1, { accessLog = { file = "" } })', "proxy.lua:1",
          ("listen:", '"accessLog"', "a path", "empty")),
    # pipelines that cannot work
    Wrong("a target that is known only later", 'pipeline("connection")\n  :connect(ctx.target)', "proxy.lua:2",
          ("evaluated once, at load", "connect(ctx.target) cannot work", "function(ctx) return ctx.target end")),
    Wrong("nobody answers behind listen", "\nlisten(1):dump()", "proxy.lua:2", ("nobody answers", "listen")),
    Wrong("nobody answers behind demuxHTTP",
          'listen(1):demuxHTTP(pipeline()\n  :handleMessageStart(function() end))', "proxy.lua:1",
          ("nobody answers", "proxy.lua:1", "muxHTTP, route")),
    Wrong("two answer", f'pipeline()\n  :route(function() end)\n  :connect({UPSTREAM})', "proxy.lua:3",
          ("connect", "route at proxy.lua:2", "answers already")),
    Wrong("a pool without a key for many targets",
          'listen(1)\n  :demuxHTTP(pipeline():muxHTTP("c"))\npipeline("c")\n  :connect(function(ctx) return ctx.target end)',
          "proxy.lua:2", ("muxHTTP needs a key", "connect at proxy.lua:4", "another target")),
    Wrong("a pipeline defined twice", f'pipeline("a"):replaceMessage({RESPONSE})\npipeline("a")', "proxy.lua:2",
          ('"a" is defined already', "proxy.lua:1")),
    Wrong("an address listened at twice", f"listen(1):serveHTTP({RESPONSE})\nlisten(1):serveHTTP({RESPONSE})",
          "proxy.lua:2", ("0.0.0.0:1", "already", "proxy.lua:1")),
    Wrong("a session that starts in a message's pipeline",
          f'pipeline()\n  :handleSessionStart(function() end)\n  :replaceMessage({RESPONSE})', "proxy.lua:2",
          ("handleSessionStart", "listen pipeline only")),
    Wrong("a pool with one key for many targets",
          'listen(1)\n  :demuxHTTP(pipeline():muxHTTP("c", "all"))\npipeline("c")\n'
          '  :connect(function(ctx) return ctx.target end)',
          "proxy.lua:2", ("muxHTTP needs a key that a function gives", "connect at proxy.lua:4", "one key for all")),
    Wrong("a table for a key", f'pipeline():muxHTTP(pipeline():connect({UPSTREAM}), {{ 64 }})',
          "proxy.lua:1", ("muxHTTP:", "argument 2", "a function")),
    # bytes where messages are wanted, and the other way round
    Wrong("connect for messages", f'listen(1):demuxHTTP("a")\npipeline("a"):connect({UPSTREAM})', "proxy.lua:2",
          ("connect takes bytes", 'pipeline "a" carries HTTP messages', "muxHTTP")),
    Wrong("serveHTTP for messages", f'listen(1):demuxHTTP("a")\npipeline("a"):serveHTTP({RESPONSE})', "proxy.lua:2",
          ("serveHTTP takes bytes", "replaceMessage")),
    Wrong("demuxHTTP in itself", 'listen(1):demuxHTTP("a")\npipeline("a"):demuxHTTP("a")', "proxy.lua:2",
          ("demuxHTTP takes bytes", 'pipeline "a" carries HTTP messages', "decoded already")),
    Wrong("muxHTTP for bytes", f'listen(1):muxHTTP("a")\npipeline("a"):connect({UPSTREAM})', "proxy.lua:1",
          ("muxHTTP takes HTTP messages", "this listen pipeline carries bytes", "put demuxHTTP in front")),
    Wrong("a handler of messages for bytes", f'listen(1)\n  :handleMessageStart(function() end)\n  :connect({UPSTREAM})',
          "proxy.lua:2", ("handleMessageStart takes HTTP messages", "carries bytes", "demuxHTTP")),
    Wrong("a handler of messages behind demuxHTTP",
          f'listen(1):demuxHTTP("a")\n  :handleMessage(function() end)\npipeline("a"):replaceMessage({RESPONSE})',
          "proxy.lua:2", ("handleMessage takes HTTP messages", "carries bytes")),
    Wrong("messages for an upstream connection",
          f'listen(1):demuxHTTP("a")\npipeline("a"):muxHTTP("b")\npipeline("b"):replaceMessage({RESPONSE})',
          "proxy.lua:3", ("replaceMessage takes HTTP messages", 'pipeline "b" carries bytes')),
    Wrong("muxHTTP to itself", 'listen(1):demuxHTTP("a")\npipeline("a"):muxHTTP("a")', "proxy.lua:2",
          ("muxHTTP takes HTTP messages", 'pipeline "a" carries bytes')),
    Wrong("requests that stay encoded", f"listen(1):decodeHTTPRequest()\n  :connect({UPSTREAM})", "proxy.lua:2",
          ("connect takes bytes", "this listen pipeline carries HTTP messages")),
    Wrong("answers that stay decoded", f'listen(1):decodeHTTPRequest()\n  :muxHTTP(pipeline():connect({UPSTREAM}))',
          "proxy.lua:2", ("takes bytes and ends with messages", "encodeHTTPResponse()")),
    Wrong("a target of a function, for messages",
          f'listen(1):demuxHTTP(pipeline():route(function() return "a" end))\npipeline("a"):connect({UPSTREAM})',
          "proxy.lua:2", ("connect takes bytes", 'pipeline "a" carries HTTP messages')),
    Wrong("a circle", 'listen(1):route("a")\npipeline("a"):route("b")\npipeline("b"):route("a")', "proxy.lua:2",
          ("route leads in a circle", '"a" → "b" → "a"')),
    Wrong("a pipeline in itself", 'listen(1):route("a")\npipeline("a"):route("a")', "proxy.lua:2",
          ("route leads in a circle", '"a" → "a"')),
    Wrong("an address with a scheme", 'listen(1):connect("http://127.0.0.1:80")', "proxy.lua:1",
          ("connect:", '"http://127.0.0.1:80"', "no scheme", '"host:port"')),
    Wrong("any address", 'listen("*:80")', "proxy.lua:1", ("listen:", '"*:80"', "0.0.0.0")),
    Wrong("a short name that is nothing like it", f'listen(1):demuxHTTP("c")\npipeline("a"):replaceMessage({RESPONSE})',
          "proxy.lua:1", ('there is no pipeline "c"\n',)),
    Wrong("an unknown key of a target", 'algo.RoundRobinLoadBalancer { { target = "a:1" } }', "proxy.lua:1",
          ("algo.RoundRobinLoadBalancer:", '"target"', '{ "host:port", weight = 2 }')),
    # Lua's own
    Wrong("a missing end", "listen(1):serveHTTP(function(req)\n  return req\n", "proxy.lua:3",
          ("'end' expected", "'function' at line 1")),
    Wrong("a mistake in a module", 'local m = require "broken"', "broken.lua:2", ("'}' expected", "line 1")),
    Wrong("a failure", 'error("no license")', "proxy.lua:1", ("no license",)),
    Wrong("a failure that is a table", "\nerror({})", "proxy.lua:2", ("a table was raised as an error",)),
    Wrong("a failure that is nothing", "\nerror()", "proxy.lua:2", ("nil was raised as an error",)),
    Wrong("a nil that is indexed", "local x\nlocal y = x.z", "proxy.lua:2", ("'x'", "nil")),
    Wrong("a wait at the top", "\n\nsleep(1)", "proxy.lua:3", ("sleep cannot wait", "top of a file")),
    Wrong("a request at the top", '\nhttp.get("http://a/")', "proxy.lua:2", ("http.get cannot wait", "top of a file")),
    Wrong("nothing to do", "local x = 1", "proxy.lua", ("nothing to do", "no listen, every or after")),
]


class LoadErrors(unittest.TestCase):
    def setUp(self):
        self.folder = program.temporary_folder(self)
        (self.folder / "plugins.lua").write_text("return {}\n", encoding="utf-8")
        (self.folder / "broken.lua").write_text("return {\n  1 2\n}\n", encoding="utf-8")

    def check(self, script):
        (self.folder / "proxy.lua").write_text(script, encoding="utf-8")
        return program.run("check", "proxy.lua", folder=self.folder)

    def test_each_wrong_script_is_refused_with_its_place_and_word(self):
        for case in CASES:
            with self.subTest(case.name):
                done = self.check(case.script)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                self.assertTrue(done.stderr.startswith(f"perilune: {case.place}: "), done.stderr)
                at = 0
                for part in case.says:
                    at = done.stderr.find(part, at)
                    self.assertGreaterEqual(at, 0, f"{part!r} is not in its place in: {done.stderr}")
                self.assertEqual(done.stderr.count("\n"), 1, "one line: " + done.stderr)

    def test_a_module_alone_and_tasks_alone_are_right(self):
        for script in ("return {}", "every(1, function() end)", "after(1, function() end)",
                       "every(1, function() end, { worker = 'one' })"):
            done = self.check(script)
            self.assertEqual((done.returncode, done.stdout), (0, "ok: 1 file, 0 listeners\n"), script + done.stderr)

    def test_a_module_is_not_run(self):
        (self.folder / "proxy.lua").write_text("return {}", encoding="utf-8")
        done = program.run("run", "proxy.lua", folder=self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is nothing to do", done.stderr)

    def test_an_access_log_that_cannot_be_opened_is_told_with_its_place(self):
        (self.folder / "proxy.lua").write_text(
            f'\nlisten("unix:x.sock", {{ accessLog = {{ file = "none/a.log" }} }}):serveHTTP({RESPONSE})', encoding="utf-8")
        done = program.run("run", "proxy.lua", folder=self.folder)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "perilune: proxy.lua:2: cannot write none/a.log: No such file or directory\n"))

    def test_a_right_script_is_not(self):
        done = self.check(f"listen(1):serveHTTP({RESPONSE})")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok: 1 file, 1 listener\n", ""))

    def test_run_refuses_it_too_and_serves_nothing(self):
        (self.folder / "proxy.lua").write_text("listen(1, { idle = 3 })", encoding="utf-8")
        done = program.run("run", "proxy.lua", folder=self.folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr.startswith('perilune: proxy.lua:1: listen: unknown option "idle"'), done.stderr)


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=program.PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(program.PATIENCE)
        self.sock.connect(self.path)


class EndlessScripts(unittest.TestCase):
    """A script that never comes back holds a thread for ever, and must not hold the process."""

    def stopped(self, script, begin):
        folder = program.temporary_folder(self)
        (folder / "proxy.lua").write_text(script, encoding="utf-8")
        command = [program.PROGRAM, "run", "--workers", "1", "--drain", "30s", "--admin", "off", "proxy.lua"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
            try:
                held = begin(folder, process)
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(program.PATIENCE), 1)
                self.assertIn("does not return from its script", process.stderr.read())
                if held:
                    held.close()
            finally:
                process.kill()

    def test_a_handler(self):
        def begin(folder, process):
            while "perilune serves" not in process.stderr.readline():
                pass
            client = Unix(str(folder / "proxy.sock"))
            client.request("GET", "/")
            time.sleep(0.2)
            return client

        self.stopped('listen("unix:proxy.sock"):serveHTTP(function() while true do end end)', begin)

    def test_the_top_of_a_file(self):
        self.stopped("listen(1)\nwhile true do end", lambda folder, process: time.sleep(0.5))


class RunningErrors(unittest.TestCase):
    """What Lua can only find when a handler runs is a 500, and one record that says as much as at load."""

    HANDLERS = [
        ("a name of ctx that context{…} did not declare", "ctx.targte = 1", ("proxy.lua:4: ", '"targte"', 'did you mean "target"?')),
        ("a name of ctx that is read", "local t = ctx.tagret", ("proxy.lua:4: ", '"tagret"', 'did you mean "target"?')),
        ("a reserved name of ctx", "ctx.client = 1", ("proxy.lua:4: ", "ctx.client is read-only",)),
        ("a global", 'return Mesage "x"', ("proxy.lua:4: ", '"Mesage"', 'did you mean "Message"?')),
        ("a table for a Message", "return { status = 200 }", ("handleMessageStart: the function gave a table", "write Message {")),
        ("another kind of answer", "return 5", ("handleMessageStart: the function gave a number", "response or nil")),
    ]

    def test_each_wrong_handler_is_a_500_with_its_place_and_word(self):
        for name, line, says in self.HANDLERS:
            with self.subTest(name):
                folder = program.temporary_folder(self)
                (folder / "proxy.lua").write_text(
                    'context { "target" }\n'
                    'listen("unix:proxy.sock"):demuxHTTP(pipeline()\n'
                    f"  :handleMessageStart(function(req, ctx)\n    {line}\n  end)\n"
                    f"  :replaceMessage({RESPONSE}))\n",
                    encoding="utf-8",
                )
                with program.Running(folder, "proxy.lua") as proxy:
                    client = Unix(str(folder / "proxy.sock"))
                    client.request("GET", "/")
                    self.assertEqual(client.getresponse().status, 500)
                    client.close()
                    record = proxy.wait_for(says[0])
                for part in says:
                    self.assertIn(part, record)


if __name__ == "__main__":
    unittest.main()
