"""The admin address: what it says, what it does, who may ask; and the commands that talk to it."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time

import play
from play import Failure, free_port, get, main, same, scene, serving, until, yes

ANSWERS = """
listen($proxy):serveHTTP(Message "hello")
"""


def curl(address, path, *words, method=None):
    """(status, head, body) of a request to a unix socket, or to a port of this machine."""
    where = ["--unix-socket", address] if "/" in address else []
    url = f"http://{'perilune' if where else address}{path}"
    command = ["curl", "-sS", "-i", "--max-time", "20", *where, *(["-X", method] if method else []), *words, url]
    done = subprocess.run(command, capture_output=True, timeout=30)
    yes(done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode()}")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.decode("latin-1"), body


def page(address, path, *words, method=None):
    """The body of an answer that is a 200."""
    status, _, body = curl(address, path, *words, method=method)
    same(status, 200, f"status of {path}: {body!r}")
    return body.decode()


def start(stage, script=ANSWERS, words=(), workers=1, options=(), **names):
    """A proxy with an admin socket, and the socket's path."""
    path = stage.path("admin.sock")
    proxy = stage.proxy(script, {"admin": f"unix:{path}", "words": list(words), "workers": workers, **dict(options)}, **names)
    return proxy, path


def write(stage, text, proxy, name="proxy.lua"):
    for port, number in proxy.port.items():
        text = text.replace(f"${port}", str(number))
    with open(stage.path(name), "w") as file:
        file.write(text)


def command(*words, env=None):
    done = subprocess.run([play.BINARY, *words], capture_output=True, timeout=60, env=env, text=True)
    return done.returncode, done.stdout, done.stderr


# ── pages


@scene("each page of the engine answers, and says what it takes")
def pages(stage):
    proxy, admin = start(stage)
    same(page(admin, "/health"), "ok\n")
    status, head, body = curl(admin, "/health", "--head")
    same((status, body), (200, b""))
    yes("content-length: 3" in head.lower(), head)
    same(page(admin, "/pipelines").splitlines()[0][:6], "listen")
    yes(page(admin, "/pipelines?format=mermaid").startswith("flowchart"), "Mermaid")
    same(json.loads(page(admin, "/upstreams")), {"upstreams": []})
    status, head, body = curl(admin, "/reload")
    same((status, body), (405, b"this page takes POST\n"))
    yes("\r\nallow: POST" in head, head)
    status, head, _ = curl(admin, "/status", method="POST")
    same(status, 405)
    yes("\r\nallow: GET, HEAD" in head, head)
    status, _, body = curl(admin, "/statsu")
    same(status, 404)
    same(body.decode(), "there is no page /statsu; there are /health /metrics /pipelines /status /upstreams, "
                        "POST /reload /stop\n")
    status, head, body = curl(admin, "/pipelines?format=svg")
    yes("content-type: image/svg+xml" in head.lower(), head)
    yes(body.startswith(b"<svg "), body)
    same(curl(admin, "/pipelines?format=png")[0::2], (400, b"a format is text, mermaid or svg\n"))


@scene("the status tells of scripts, workers and listeners")
def status_page(stage):
    proxy, admin = start(stage, workers=2)
    client = stage.client(proxy)
    same(client.ask(get()).body, b"hello")
    status = json.loads(page(admin, "/status"))
    same(status["state"], "serving")
    same(status["pid"], proxy.pid)
    same(status["files"], [stage.path("proxy.lua")])
    same((status["version"], status["lastReload"], status["reloads"]), (1, None, {"ok": 0, "failed": 0}))
    same(sum(worker["sessions"] for worker in status["workers"]), 1)
    same([worker["worker"] for worker in status["workers"]], [0, 1])
    yes(all(worker["luaBytes"] > 10_000 and not worker["silent"] for worker in status["workers"]), status)
    same(status["listeners"], [{"address": f"0.0.0.0:{proxy.port['proxy']}", "open": 1, "accepted": 1, "refused": 0,
                                "idleEnded": 0, "pauses": 0}])
    yes(0 < status["uptimeSeconds"] < 60, status)


@scene("the upstreams tell of endpoints, health and pools")
def upstreams(stage):
    upstream = stage.upstream()
    proxy, admin = start(stage, """
local api = upstream("api", { endpoints = { "127.0.0.1:$upstream" } })
listen($proxy):demuxHTTP(pipeline():forward(api))
""", upstream=upstream.port)
    client = stage.client(proxy)
    for _ in range(3):
        same(client.ask(get("/x")).body, b"/x")
    (api,) = json.loads(page(admin, "/upstreams"))["upstreams"]
    same((api["name"], api["requests"]["total"], api["connections"]["total"]), ("api", 3, 1))
    (endpoint,) = api["endpoints"]
    same((endpoint["address"], endpoint["health"], endpoint["connections"]["idle"]),
         (f"127.0.0.1:{upstream.port}", "unknown", 1))
    yes("reuse" in api["explain"]["worker 0"], api["explain"])


@scene("a reload by the admin address takes a new script, and a broken one changes nothing and is told with its traceback")
def reload_page(stage):
    proxy, admin = start(stage)
    client = stage.client(proxy)
    same(client.ask(get()).body, b"hello")
    write(stage, ANSWERS.replace("hello", "hello again"), proxy)
    report = json.loads(page(admin, "/reload", method="POST"))
    same((report["ok"], report["version"], report["moving"]), (True, 2, 1))
    same(client.ask(get()).body, b"hello again")

    write(stage, "local function boom(x) return x.y end\nlocal function call() boom(nil) end\ncall()\n" + ANSWERS, proxy)
    status, _, body = curl(admin, "/reload", method="POST")
    same(status, 422)
    lines = body.decode().splitlines()
    file = stage.path("proxy.lua")
    yes(lines[0].startswith(f"{file}:1: attempt to index"), body)
    same([line.strip() for line in lines[1:]],
         [f"{file}:1: in function 'boom'", f"{file}:2: in function 'call'", f"{file}:3: in the file itself"])
    same(client.ask(get()).body, b"hello again")
    status = json.loads(page(admin, "/status"))
    same((status["version"], status["reloads"]), (2, {"ok": 1, "failed": 1}))
    same((status["lastReload"]["ok"], status["lastReload"]["error"].splitlines()), (False, lines))
    metrics = page(admin, "/metrics")
    yes('\nperilune_reloads_total{result="failed"} 1\n' in metrics, "the failed reload is counted")
    yes("\nperilune_last_reload_successful 0\n" in metrics, "the last reload failed")
    proxy.wait_log("reload failed, version 2 goes on")


@scene("a traceback of an error in a module goes through require, and an error of one frame is one line")
def load_traceback(stage):
    with open(stage.path("part.lua"), "w") as file:
        file.write("local function inner() error('deep') end\nlocal function outer() inner() end\nouter()\nreturn {}\n")
    with open(stage.path("main.lua"), "w") as file:
        file.write('\nlocal part = require "part"\n' + ANSWERS.replace("$proxy", "1"))
    code, _, said = command("check", stage.path("main.lua"))
    same(code, 1)
    same(said.replace(stage.folder + "/", "").splitlines(),
         ["perilune: part.lua:1: deep", "    part.lua:1: in function 'inner'", "    part.lua:2: in function 'outer'",
          "    part.lua:3: in the file itself", "    main.lua:2: in the file itself"])
    with open(stage.path("main.lua"), "w") as file:
        file.write("\nlocal x = nil\nprint(x.y)\n")
    _, _, said = command("check", stage.path("main.lua"))
    same(len(said.splitlines()), 1, said)


@scene("a stop drains: the health says so until the end, and the socket's file goes")
def stop_page(stage):
    upstream = stage.upstream(lambda wire, number: (wire.request(), wire.silent(0.6), wire.send(play.ok("late"))))
    proxy, admin = start(stage, play.PLAIN, options={"drain": "5s"}, upstream=upstream.port)
    client = stage.client(proxy)
    client.send(get())
    until(lambda: upstream.requests, "the request to be upstream")
    status, _, body = curl(admin, "/stop", method="POST")
    same((status, json.loads(body)["sentence"]), (202, "draining: 1 connection is open, for 5 s at most"))
    same(curl(admin, "/health")[0::2], (503, b"draining\n"))
    same(json.loads(page(admin, "/status"))["state"], "draining")
    same(client.response().body, b"late")
    same(proxy.process.wait(play.PATIENCE), 0)
    yes(not os.path.exists(admin), "the socket's file is gone")
    stage.proxies.clear()


# ── commands


@scene("perilune reload, status and stop talk to the process")
def commands(stage):
    proxy, admin = start(stage)
    client = stage.client(proxy)
    same(client.ask(get()).body, b"hello")
    code, said, wrong = command("reload", "--admin", admin)
    same((code, wrong), (0, ""))
    yes(re.fullmatch(r"version 2 serves, loaded in [\d.]+ ms; of the connections 1 move, 0 end with the version before\n", said), said)
    write(stage, "listen($proxy):servHTTP()", proxy)
    code, said, wrong = command("reload", "--admin", admin)
    same((code, said), (1, ""))
    yes(wrong.startswith(f"perilune: {stage.path('proxy.lua')}:1: ") and 'did you mean "serveHTTP"?' in wrong, wrong)

    code, said, _ = command("status", "--admin", admin)
    same(code, 0)
    for pattern in [rf"perilune [\d.]+, process {proxy.pid}, serving for \d+ s", r"proxy.lua, version 2$",
                    "1 done, 1 failed", r"failed: .*servHTTP", r"^0 +1 +[01] +[\d.]+ KiB +0$",
                    rf"^0.0.0.0:{proxy.port['proxy']} +1 +1 +0$"]:
        yes(re.search(pattern, said, re.M), f"/{pattern}/ in\n{said}")
    code, said, _ = command("status", "--json", "--admin", admin)
    same((code, json.loads(said)["version"]), (0, 2))

    code, said, _ = command("stop", "--admin", admin)
    same((code, said), (0, "draining: 1 connection is open, for 0.3 s at most\n"))
    yes(not os.path.exists(admin), "perilune stop comes back when the process is gone")
    same(proxy.process.wait(play.PATIENCE), 0)
    stage.proxies.clear()
    for name in ["reload", "status", "stop"]:
        code, said, wrong = command(name, "--admin", admin)
        same((code, said, wrong), (1, "", f"perilune: admin address unix:{admin}: no perilune listens there\n"))


@scene("what answers but is no perilune is told so")
def no_perilune(stage):
    stage.upstream(lambda wire, number: wire.send("220 mail.example ESMTP\r\n"), path=stage.path("mail.sock"))
    code, _, wrong = command("status", "--admin", stage.path("mail.sock"))
    same(code, 1)
    yes("that is no perilune" in wrong, wrong)


# ── who may ask


@scene("a TCP address needs a token, and is of this machine alone")
def token(stage):
    with open(stage.path("proxy.lua"), "w") as file:
        file.write(ANSWERS.replace("$proxy", str(free_port())))
    clean = {name: value for name, value in os.environ.items() if name != "PERILUNE_ADMIN_TOKEN"}
    script, port = stage.path("proxy.lua"), str(free_port())
    short = stage.path("short")
    with open(short, "w") as file:
        file.write("secret\n")
    for words, sentence in [
        (["--admin", port], "a TCP address needs a token: --admin-token-file FILE, or the variable PERILUNE_ADMIN_TOKEN"),
        (["--admin", f"0.0.0.0:{port}"], "other machines reach 0.0.0.0:" + port + ": add --admin-any if they shall"),
        (["--admin", f"0.0.0.0:{port}", "--admin-any"], "a TCP address needs a token"),
        (["--admin", port, "--admin-token-file", short], "a token has at least 16 characters"),
        (["--admin", port, "--admin-token-file", "nowhere"], "nowhere: No such file or directory"),
        (["--admin", "somewhere"], "\"somewhere\" is no address: write unix:PATH, IP:PORT, a port of 127.0.0.1, or off"),
    ]:
        code, _, wrong = command("run", script, *words, env=clean)
        same(code, 2, wrong)
        yes(sentence in wrong, wrong)

    secret = "0123456789abcdef"
    with open(stage.path("token"), "w") as file:
        file.write(secret + "\n")
    proxy = stage.proxy(ANSWERS, {"admin": port, "words": ["--admin-token-file", stage.path("token")]})
    address = f"127.0.0.1:{port}"
    status, head, body = curl(address, "/health")
    same((status, body), (401, b"this needs the token: Authorization: Bearer TOKEN\n"))
    yes('www-authenticate: Bearer realm="perilune"' in head, head)
    for wrong in [secret[:-1], secret + "0", secret.upper() + " ", "", secret[:-1] + "g"]:
        same(curl(address, "/stop", "-H", f"Authorization: Bearer {wrong}", method="POST")[0], 401, wrong)
    same(curl(address, "/nothing")[0], 401)
    same(page(address, "/health", "-H", f"Authorization: Bearer {secret}"), "ok\n")
    code, said, _ = command("status", "--admin", port, env={**clean, "PERILUNE_ADMIN_TOKEN": secret})
    yes(code == 0 and "serving" in said, said)
    code, _, wrong = command("status", "--admin", port, env={**clean, "PERILUNE_ADMIN_TOKEN": "f" * 16})
    same((code, wrong), (1, "perilune: this needs the token: Authorization: Bearer TOKEN\n"))


@scene("the default is a socket for its user alone; a second process does without, one that is asked for must be free")
def default_address(stage):
    env = {**os.environ, "XDG_RUNTIME_DIR": stage.folder}
    path = stage.path("perilune.sock")
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)  # of a process that was killed
    dead.close()
    processes = []

    def run(*words):
        script = stage.path(f"{len(processes)}.lua")
        with open(script, "w") as file:
            file.write(ANSWERS.replace("$proxy", str(free_port())))
        process = subprocess.Popen([play.BINARY, "run", "--workers", "1", *words, script], env=env,
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        processes.append(process)
        stage.others.append(process)
        return process, play.Lines(process.stderr)

    first, said = run()
    until(lambda: said.matching("perilune serves with"), "the first to serve")
    yes(said.matching(f"admin address unix:{path}"), said.text())
    same(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    code, table, _ = command("status", env=env)
    yes(code == 0 and f"process {first.pid}" in table, table)

    second, said = run()
    until(lambda: said.matching("perilune serves with"), "the second to serve")
    (line,) = said.matching(" admin: ")
    yes(line.endswith(f"unix:{path}: Address already in use; this process has no admin address "
                      "(--admin ADDR gives it another, --admin off none)"), line)
    third, said = run("--admin", path)
    same(third.wait(play.PATIENCE), 1)
    until(lambda: said.matching(f"perilune: --admin: cannot listen on unix:{path}: Address already in use"), said.text())
    off, said = run("--admin", "off")
    until(lambda: said.matching("perilune serves with"), "the last to serve")
    same(said.matching("admin"), [])
    code, _, _ = command("stop", env=env)
    same((code, first.wait(play.PATIENCE)), (0, 0))
    code, _, wrong = command("status", env=env)
    same((code, wrong), (1, f"perilune: admin address unix:{path}: no perilune listens there; --admin ADDR names another address\n"))


# ── pages of scripts


PAGES = """
local seen = 0
listen($proxy):serveHTTP(function() seen = seen + 1 return Message "x" end)
admin("/seen", function(req)
  sleep(0.01)
  return tostring(seen) .. " " .. (req.query.name or "") .. " " .. req.method .. " " .. (req.body or "")
end)
admin("/bytes", function()
  return Message { status = 203, headers = { ["x-a"] = "b" }, body = "\\0\\xff\\r\\n" }
end)
admin("/raises", function(req) return req.nothing.at end)
admin("/nothing", function() end)
admin("/deep/er", function() return Message { json = { 1, 2 } } end)
"""


@scene("a script adds pages: they may wait, and give what an answer can be")
def script_pages(stage):
    proxy, admin = start(stage, PAGES, workers=2)
    same(page(admin, "/seen?name=ann", "-d", "body"), "0 ann POST body")
    status, head, body = curl(admin, "/bytes")
    same((status, body), (203, b"\0\xff\r\n"))
    yes("\r\nx-a: b" in head, head)
    same(page(admin, "/deep/er"), "[1,2]")
    status, _, body = curl(admin, "/raises")
    same(status, 500)
    yes(re.search(rb"^the page /raises: .*proxy.lua:11: ", body), body)
    proxy.wait_log(r"script: .*proxy.lua:11: ")
    status, _, body = curl(admin, "/nothing")
    same(status, 500)
    yes(re.search(rb"^the page /nothing: .*proxy.lua:12: admin: its function expects to give a response or a text, got nil "
                  rb"\(forgot return\?\)\n$", body), body)
    yes("/bytes, /deep/er, /nothing, /raises, /seen" in curl(admin, "/no")[2].decode(), "the 404 names them")
    write(stage, ANSWERS + 'admin("/seen", function() return "anew" end)', proxy)
    page(admin, "/reload", method="POST")
    same(page(admin, "/seen"), "anew")
    same(curl(admin, "/bytes")[0], 404)


@scene("pages of scripts that do not come back leave the engine's own alone")
def slow_pages(stage):
    proxy, admin = start(stage, ANSWERS + 'admin("/never", function() sleep(1000000) end)')
    import socket
    waiting = []
    for _ in range(40):
        waiting.append(socket.socket(socket.AF_UNIX))
        waiting[-1].connect(admin)
        waiting[-1].sendall(get("/never").encode())
    same(page(admin, "/health"), "ok\n")
    same(slow(admin)["silent"], False)
    status, _, body = curl(admin, "/never")
    same((status, body), (500, b"too many pages of scripts are being made\n"))
    for each in waiting:
        each.close()


# ── metrics


METRICS = """
local api = upstream("api", { endpoints = { "127.0.0.1:$upstream", "127.0.0.1:$dead" }, retry = { attempts = 2 },
  health = { path = "/", interval = 1 } })
local clicks = stats.Counter("shop_clicks_total", { "item" }, { help = "Clicks." })
local carts = stats.Gauge("shop_carts")
local sizes = stats.Histogram("shop_size_bytes", nil, { help = "Sizes.", buckets = { 10, 100 } })
local d = shared "sessions"
listen($proxy):demuxHTTP(pipeline()
  :handleMessageStart(function(req, ctx)
    clicks:withLabels(req.pathname):inc()
    carts:set(1)
    sizes:observe(#req.path)
    d:incr("n")
    if req.pathname == "/raise" then error("no") end
    if req.pathname == "/gone" then return Message { status = 404 } end
  end)
  :forward(api))
"""


def samples(text):
    """{series: value}"""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}


@scene("promtool has nothing to say against the metrics, and they are those of all workers")
def metrics(stage):
    upstream = stage.upstream()
    proxy, admin = start(stage, METRICS, workers=2, upstream=upstream.port, dead=free_port())
    clients = [stage.client(proxy) for _ in range(8)]
    for client in clients:
        same(client.ask(get("/a")).status, 200)
        same(client.ask(get("/gone")).status, 404)
    same(clients[0].ask(get("/raise")).status, 500)
    page(admin, "/reload", method="POST")
    status, head, body = curl(admin, "/metrics")
    same(status, 200)
    yes("content-type: text/plain; version=0.0.4" in head, head)
    found = samples(body.decode())
    for series, value in {
        'perilune_connections_total{listener="0.0.0.0:%d"}' % proxy.port["proxy"]: 8,
        'perilune_connections{listener="0.0.0.0:%d"}' % proxy.port["proxy"]: 8,
        "perilune_sessions": 8, "perilune_requests_total": 17,
        'perilune_responses_total{class="2xx"}': 8, 'perilune_responses_total{class="4xx"}': 8,
        'perilune_responses_total{class="5xx"}': 1, 'perilune_errors_total{code="script-error"}': 1,
        "perilune_response_seconds_count": 17,
        'shop_clicks_total{item="/a"}': 8, 'shop_size_bytes_bucket{le="10"}': 17,
        'perilune_shared_values{dictionary="sessions"}': 1,
        'perilune_reloads_total{result="ok"}': 1, "perilune_scripts_version": 2,
        'perilune_worker_silent{worker="1"}': 0,
        'perilune_upstream_requests_total{cluster="api",endpoint="127.0.0.1:%d"}' % upstream.port: None,
        "perilune_lua_heap_bytes": None, "perilune_resident_memory_bytes": None,
    }.items():
        yes(series in found, f"{series} in\n{body.decode()}")
        if value is not None:
            same(found[series], value, series)
    yes(found["perilune_lua_heap_bytes"] > 50_000, "two Lua states")
    yes(shutil.which("promtool"), "promtool is there: make test installs it with Debian's prometheus")
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True)
    same((done.returncode, done.stdout + done.stderr), (0, b""), "promtool check metrics")


# ── the watchdog


HOLDS = """
local function turn(x)
  return x * 7 % 13
end
listen($proxy):serveHTTP(function(req)
  if req.path == "/compiled" then
    local x = 0
    for i = 1, 1e18 do
      x = turn(x + i)
      if x < 0 then return end
    end
  elseif req.path == "/interpreted" then
    local stop = time.monotonic() + 2.5
    while time.monotonic() < stop do
      pcall(error, {})
    end
  elseif req.pathname == "/c" then
    local text = ("a"):rep(tonumber(req.query.size))
    local at = text:find("^.-.-.-b")
    return Message(tostring(at))
  end
  return Message "ok"
end)
"""


def slow(admin):
    return json.loads(page(admin, "/status"))["workers"][0]


@scene("a script that holds a worker up is reported once, with its traceback")
def interpreted(stage):
    proxy, admin = start(stage, HOLDS)
    same(stage.client(proxy).ask(get("/interpreted")).status, 200)
    (line,) = proxy.wait_log("worker 0 is held up")
    yes(re.search(r"warn  worker 0 is held up by a script, \d+\.\d s so far$", line), line)
    yes(proxy.log.matching(r"proxy\.lua:1[3-6]: in function <.*proxy.lua:5>"), proxy.log.text())
    same(slow(admin)["slowTurns"], 1)
    same(stage.client(proxy).ask(get("/interpreted")).status, 200)
    same(len(proxy.wait_log("worker 0 is held up", 2)), 2)
    same(samples(page(admin, "/metrics"))['perilune_worker_slow_turns_total{worker="0"}'], 2)


@scene("a call of C that takes long is reported while it runs, and its traceback when it comes back")
def slow_call(stage):
    proxy, admin = start(stage, HOLDS)
    client, size = stage.client(proxy), 400
    # Large enough for this machine as it is now. Sanitizers' handlers of signals wait for a call of C.
    told = "worker 0 is held up" if play.SANITIZED else "worker 0 is held up by a call that has not come back"
    while not proxy.log.matching(told):
        same(client.ask(get(f"/c?size={size}")).body, b"nil")
        size = size * 5 // 4
    if not play.SANITIZED:
        (line,) = proxy.log.matching("that has not come back")
        yes(re.search(r"come back to the script, \d+\.\d s so far: in the function at .*proxy.lua:5$", line), line)
    proxy.wait_log("worker 0 is held up by a script")
    yes(proxy.log.matching(r"proxy\.lua:(19|20): in function <.*proxy.lua:5>"), proxy.log.text())
    yes(slow(admin)["slowTurns"] >= 1, "it is counted")


@scene("an endless loop of compiled code is found by its line; the admin address answers, and calls the worker silent")
def compiled(stage):
    proxy, admin = start(stage, HOLDS)
    client = stage.client(proxy)
    client.send(get("/compiled"))
    (line,) = proxy.wait_log("worker 0 is held up")
    if not play.SANITIZED:  # their handlers of signals wait for a call of C
        yes(re.search(r"by compiled code of a script, \d+\.\d s so far: it began at .*proxy.lua:(2|3|8|9), "
                      r"in the function at .*proxy.lua:5$", line), line)
    worker = slow(admin)
    same((worker["silent"], worker["slowTurns"]), (True, 1))
    yes(worker["busySeconds"] > 1, worker)
    same(page(admin, "/health"), "ok\n")
    found = samples(page(admin, "/metrics"))
    same(found['perilune_worker_silent{worker="0"}'], 1)
    code, said, _ = command("status", "--admin", admin)
    yes(code == 0 and re.search(r"silent, busy for \d+\.\d s", said), said)
    status, _, body = curl(admin, "/reload", method="POST")
    same((status, body), (422, b"a worker was too busy to load the scripts in time\n"))
    # Nothing ends such a loop but the end of the process.
    command("stop", "--admin", admin)
    same(proxy.process.wait(play.PATIENCE), 1)
    yes(not os.path.exists(admin), "the socket's file is gone")
    yes(proxy.log.matching("the process ends without it"), proxy.log.text())
    same(len(proxy.log.matching("worker 0 is held up")), 1)
    stage.proxies.clear()


# ── logs


@scene("the log as JSON: each line an object")
def json_log(stage):
    proxy, admin = start(stage, """
listen($proxy):serveHTTP(function(req)
  log.warn('say "x"', { path = req.path, n = 1 })
  error("two\\nlines")
end)
""", words=["--log-format", "json"])
    same(stage.client(proxy).ask(get("/a")).status, 500)
    proxy.wait_log("no such|two")
    records = [json.loads(line) for line in until(lambda: len(proxy.log.lines) >= 4 and list(proxy.log), "the log")]
    for record in records:
        yes(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"]), record)
    (warned,) = [record for record in records if record["level"] == "warn"]
    same((warned["room"], warned["message"], warned["fields"]), ("script", 'say "x"', {"path": "/a", "n": "1"}))
    raised = [record for record in records if record["level"] == "error" and "stack traceback" in record["message"]]
    yes(raised and "two\nlines" in raised[0]["message"], records)
    yes(any(record["room"] == "app" for record in records), records)


@scene("levels by room, and a room that is misspelt")
def levels(stage):
    script = 'listen($proxy):serveHTTP(function() log.debug("deep") log.info("plain") return Message "x" end)'
    proxy, _ = start(stage, script, options={"log_level": "warn,script=debug,app=info"})
    stage.client(proxy).ask(get())
    proxy.wait_log("debug deep")
    quiet = stage.proxy(script, {"log_level": "script=off"})
    same(stage.client(quiet).ask(get()).status, 200)
    same(quiet.log.matching("deep|plain"), [])
    with open(stage.path("x.lua"), "w") as file:
        file.write(ANSWERS.replace("$proxy", "1"))
    for words, sentence in [("upstraem=debug", '"upstraem" is no room; did you mean "upstream"? (rooms are base, '),
                            ("wran", '"wran" is no level: write debug, info, warn, error or off; did you mean "warn"?'),
                            ("info,debug", "two levels for all rooms; write one, and room=level for others"),
                            ("", '"" is no level')]:
        code, _, wrong = command("run", "--log-level", words, stage.path("x.lua"))
        same(code, 2)
        yes(f"--log-level: {sentence}" in wrong, wrong)


@scene("SIGUSR1 and a reload open log files anew")
def reopened(stage):
    proxy, admin = start(stage, 'listen($proxy, { accessLog = { file = "access.log" } }):serveHTTP(Message "x")')
    file = stage.path("access.log")
    client = stage.client(proxy)
    until(lambda: os.path.exists(file), "the file")
    for number, ask in enumerate([lambda: proxy.process.send_signal(play.signal.SIGUSR1),
                                  lambda: page(admin, "/reload", method="POST")], 1):
        client.ask(get(f"/{number}"))
        until(lambda: f"/{number} " in open(file).read(), "the line")
        os.rename(file, f"{file}.{number}")
        ask()
        # Without a line: it is made anew at once.
        until(lambda: os.path.exists(file), "the new file", 3)
        client.ask(get(f"/after-{number}"))
        until(lambda: f"/after-{number} " in open(file).read(), "the line in the new file")
        yes(f"after-{number}" not in open(f"{file}.{number}").read(), "nothing more in the old one")


if __name__ == "__main__":
    main()
