"""Hot reload: clients must not notice, and what is wrong must change nothing.

RELOAD_SECONDS=60 plays the first scene as long as it is meant; the suite plays a short form of it.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import play
from play import End, Wire, body_of, get, main, ok, same, scene, serving, until, yes

SECONDS = float(os.environ.get("RELOAD_SECONDS", "8"))
CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support/steady_clients.py")
LESSON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tutorial/03-connection-pool/main.lua")

ECHO = "listen($proxy):serveHTTP(function(req) return Message(req.path) end)"


class Scripts:
    """The files of a proxy, to be written again with the ports it has."""

    def __init__(self, proxy, **names):
        self.proxy, self.names = proxy, {**proxy.port, **names}

    def fill(self, text):
        return re.sub(r"\$(\w+)", lambda found: str(self.names[found[1]]), text)

    def path(self, name="proxy.lua"):
        return os.path.join(self.proxy.folder, name)

    def write(self, text, name="proxy.lua"):
        with open(self.path(name), "w") as file:
            file.write(self.fill(text))

    def replace(self, text, name="proxy.lua"):
        """As editors do it: a new file under the old name."""
        with open(self.path(name) + "~", "w") as file:
            file.write(self.fill(text))
        os.rename(self.path(name) + "~", self.path(name))

    def hang_up(self, text=None):
        """Writes the script, has it loaded, and waits for how that went: the line of the log."""
        if text is not None:
            self.write(text)
        before = len(self.ends())
        self.proxy.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.ends()) > before, f"the end of a reload; the log:\n{self.proxy.log.text()[-2000:]}")
        return self.ends()[before]

    def ends(self):
        return self.proxy.log.matching(r"reload failed|version \d+ serves")


def said(text):
    return f"listen($proxy):serveHTTP(function() return Message '{text}' end)"


def answer(stage, proxy):
    client = stage.client(proxy)
    body = client.ask(get("/", "Connection: close")).body.decode()
    client.close()
    return body


def lesson(version):
    """The lesson's script on other ports, whose answers name the version."""
    with open(LESSON) as file:
        text = file.read()
    marked = ':muxHTTP("connection", function(ctx) return ctx.targets:get(ctx.target) end)'
    yes(text.count(marked) == 1, "the lesson has another forward pipeline by now")
    text = text.replace(marked, f'{marked}\n  :handleMessageStart(function(res) res.headers["x-version"] = "{version}" end)')
    for own, placeholder in [("listen(8000)", "listen($proxy)"), ("127.0.0.1:8080", "127.0.0.1:$one"), ("127.0.0.1:8081", "127.0.0.1:$other")]:
        yes(own in text, f"the lesson does not have {own}")
        text = text.replace(own, placeholder)
    return text


def slow_or_socket(gate, seconds, body):
    """An upstream with a download that takes its time, and a socket that echoes lines."""

    def act(wire, number):
        try:
            request = wire.request()
            if request.has_token("upgrade", "websocket"):
                wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                while True:
                    wire.send(wire.line() + b"!\r\n")
            wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n")
            pieces = 50
            for i in range(pieces):
                wire.send(body[len(body) * i // pieces:len(body) * (i + 1) // pieces])
                gate.wait(seconds / pieces)
        except End:
            pass

    return act


@scene("reloads under 64 busy connections, newcomers, a download and a WebSocket: nobody notices")
def unnoticed(stage):
    interval = 0.6 if SECONDS >= 30 else 0.25
    echo = stage.proxy({"upstream.lua": ECHO})
    body = body_of(5_000_000)
    stop = play.threading.Event()
    other = stage.upstream(slow_or_socket(stop, SECONDS, body))
    names = {"one": echo.port["proxy"], "other": other.port}
    proxy = stage.proxy(lesson(1), {"workers": 2}, **names)
    scripts = Scripts(proxy, **names)

    download = stage.client(proxy)
    download.send(get("/hi/download"))
    tunnel = stage.client(proxy)
    tunnel.send(get("/hi/socket", "Upgrade: websocket", "Connection: Upgrade"))
    same(tunnel.head().status, 101)
    got = []
    reading = stage.in_thread(lambda: got.append(download.response().body))

    clients = subprocess.Popen([sys.executable, "-B", CLIENTS, str(proxy.port["proxy"])],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    began = time.monotonic()
    version, times = 1, []
    while time.monotonic() - began < SECONDS:
        time.sleep(max(0, began + interval * version - time.monotonic()))
        version += 1
        line = scripts.hang_up(lesson(version))
        yes(f"version {version} serves" in line, line)
        times.append(float(re.search(r"loaded in ([\d.]+) ms", line)[1]))
        tunnel.send(f"line {version}\r\n")
        same(tunnel.line(), f"line {version}!".encode())
    time.sleep(0.3)
    out, _ = clients.communicate(timeout=30)
    result = json.loads(out)
    times.sort()
    print(f"# {version - 1} reloads in {time.monotonic() - began:.1f} s, {times[len(times) // 2]:.0f} ms each, {times[-1]:.0f} at most; "
          f"{result['answers']} answers, {result['lost']} lost, {result['closed']} connections closed, {result['refused']} refused; "
          f"p99 {result['p99'] * 1000:.1f} ms, {result['max'] * 1000:.1f} at most")
    same((result["lost"], result["closed"], result["refused"], result["what"]), (0, 0, 0, []))
    yes(result["answers"] > 100 * SECONDS / play.SLOWNESS, f"only {result['answers']} answers")
    same(result["versions"], {str(version): 64})
    tunnel.send("last\r\n")
    same(tunnel.line(), b"last!")
    stop.set()
    reading.join(play.PATIENCE)
    yes(got and got[0] == body, "the download is not what was sent")


@scene("SIGHUP: the new script answers on the same connection, and the numbers are told")
def hang_up(stage):
    proxy = stage.proxy(said("one"))
    scripts = Scripts(proxy)
    client = stage.client(proxy)
    same(client.ask(get()).body, b"one")
    idle = stage.client(proxy)
    same(idle.ask(get()).body, b"one")
    line = scripts.hang_up(said("two"))
    yes(re.search(r"version 2 serves, loaded in [\d.]+ ms; of the connections 2 move, 0 end with the version before", line), line)
    same(client.ask(get()).body, b"two")
    same(idle.ask(get()).body, b"two")


def watched(stage, scripts, **names):
    proxy = stage.proxy(scripts, {"words": ["--watch"]}, **names)
    return proxy, Scripts(proxy, **names)


def sees(stage, proxy, version, text):
    proxy.wait_log(f"version {version} serves")
    same(answer(stage, proxy), text)


@scene("--watch: a file written in place, replaced by name, and both again")
def watch_file(stage):
    proxy, scripts = watched(stage, said("one"))
    same(answer(stage, proxy), "one")
    for version, (how, text) in enumerate([(scripts.write, "two"), (scripts.replace, "three"), (scripts.write, "four"),
                                           (scripts.replace, "five")], 2):
        how(said(text))
        sees(stage, proxy, version, text)
    same(len(proxy.log.matching("reload: a file has changed")), 4)


@scene("--watch: a module and a JSON file that the script read count too")
def watch_others(stage):
    script = """local text, data = require("parts.text"), json.load("data.json")
listen($proxy):serveHTTP(function() return Message(text .. data.word) end)"""
    os.makedirs(stage.path("parts"))
    for name, text in [("parts/text.lua", 'return "one "'), ("data.json", '{"word": "a"}')]:
        with open(stage.path(name), "w") as file:
            file.write(text)
    proxy, scripts = watched(stage, script)
    same(answer(stage, proxy), "one a")
    scripts.write('return "two "', "parts/text.lua")
    sees(stage, proxy, 2, "two a")
    scripts.replace('{"word": "b"}', "data.json")
    sees(stage, proxy, 3, "two b")
    # A module that is not there is an error until it comes.
    scripts.write('require("parts.more")\n' + script)
    proxy.wait_log('reload failed, version 3 goes on: .*proxy.lua:1: require: there is no module "parts.more"')
    same(answer(stage, proxy), "two b")
    scripts.write("return {}", "parts/more.lua")
    sees(stage, proxy, 4, "two b")
    scripts.write("return {} -- again", "parts/more.lua")
    proxy.wait_log("version 5 serves")


@scene("--watch: symbolic links to the file, to its folder, and to the folder's link that lead elsewhere")
def watch_links(stage):
    for name in ["one", "two", "three"]:
        os.makedirs(stage.path(name))
    os.symlink("one", stage.path("current"))
    os.symlink("real.lua", stage.path("one/linked.lua"))
    os.symlink("real.lua", stage.path("two/linked.lua"))
    os.symlink("real.lua", stage.path("three/linked.lua"))
    proxy = stage.proxy({"unused.lua": said("first")})
    port = play.free_port()
    for name in ["one", "two", "three"]:
        with open(stage.path(f"{name}/real.lua"), "w") as file:
            file.write(said(name).replace("$proxy", str(port)))
    running = subprocess.Popen([play.BINARY, "run", "--watch", "--workers", "1", stage.path("current/linked.lua")],
                               stderr=subprocess.PIPE)
    stage.others.append(running)
    log = play.Lines(running.stderr)

    def serves(version, text):
        until(lambda: log.matching(f"version {version} serves" if version > 1 else "perilune serves"), f"version {version}:\n{log.text()}")
        client = stage.client(port)
        same(client.ask(get()).body.decode(), text)

    serves(1, "one")
    os.symlink("two", stage.path("next"))
    os.rename(stage.path("next"), stage.path("current"))
    serves(2, "two")
    with open(stage.path("two/real.lua"), "w") as file:
        file.write(said("two again").replace("$proxy", str(port)))
    serves(3, "two again")
    with open(stage.path("two/better.lua"), "w") as file:
        file.write(said("better").replace("$proxy", str(port)))
    os.symlink("better.lua", stage.path("two/next"))
    os.rename(stage.path("two/next"), stage.path("two/linked.lua"))
    serves(4, "better")
    os.symlink("three", stage.path("next"))
    os.rename(stage.path("next"), stage.path("current"))
    serves(5, "three")
    same(answer(stage, proxy), "first")


@scene("--watch: a script that is gone for a while is loaded when it is back")
def watch_gone(stage):
    proxy, scripts = watched(stage, said("one"))
    os.remove(scripts.path())
    proxy.wait_log("reload failed, version 1 goes on: .*proxy.lua")
    same(answer(stage, proxy), "one")
    scripts.write(said("two"))
    sees(stage, proxy, 2, "two")


WRONG = [
    ("a syntax error", "listen($proxy", "proxy.lua:1: '\\)' expected"),
    ("a misspelt name", "lisen($proxy):serveHTTP(Message 'x')", "proxy.lua:1: unknown name \"lisen\"; did you mean \"listen\""),
    ("an error at its top", "\n\nerror('no such luck')", "proxy.lua:3: no such luck"),
    ("a wait at its top", "sleep(1)\nlisten($proxy):serveHTTP(Message 'x')", "proxy.lua:1: .*sleep"),
    ("nothing to do", "local a = 1", "there is nothing to do"),
    ("an address in use", "listen($proxy):serveHTTP(Message 'x')\nlisten($added):serveHTTP(Message 'x')\nlisten($taken):serveHTTP(Message 'x')",
     "proxy.lua:3: cannot listen on"),
]


@scene("a wrong script changes nothing, is told with its line, and the next right one is taken")
def wrong(stage):
    taken = stage.upstream()
    added = play.free_port()
    proxy = stage.proxy(said("one"), {"workers": 2})
    scripts = Scripts(proxy, taken=taken.port, added=added)
    client = stage.client(proxy)
    for what, text, says in WRONG:
        line = scripts.hang_up(text)
        yes(re.search(f"reload failed, version 1 goes on: .*{says}", line), f"{what}: {line}")
        same(client.ask(get()).body, b"one")
        same(answer(stage, proxy), "one")
        with socket.socket() as probe:
            yes(probe.connect_ex(("127.0.0.1", added)) != 0, f"{what}: the added port is open")
    yes("version 2 serves" in scripts.hang_up(said("two")), "the right one")
    same(client.ask(get()).body, b"two")


@scene("a script that never ends at its top is given up, and clients are served all the while")
def endless(stage):
    proxy = stage.proxy(said("one"))
    scripts = Scripts(proxy)
    client = stage.client(proxy)
    scripts.write("while true do end")
    proxy.process.send_signal(signal.SIGHUP)
    began = time.monotonic()
    slowest = 0
    while not scripts.ends():
        asked = time.monotonic()
        same(client.ask(get()).body, b"one")
        slowest = max(slowest, time.monotonic() - asked)
        yes(asked - began < play.PATIENCE, "it was not given up")
    yes(re.search("proxy.lua:1: the top of the file has not ended in time", scripts.ends()[0]), scripts.ends()[0])
    print(f"# given up after {time.monotonic() - began:.1f} s; the slowest answer meanwhile took {slowest * 1000:.0f} ms")
    yes(slowest < 1 * play.SLOWNESS, f"an answer took {slowest:.1f} s")
    yes("version 2 serves" in scripts.hang_up(said("two")), "the right one")
    same(client.ask(get()).body, b"two")


@scene("a top that does not end because of what was kept is given up in the worker too")
def endless_in_the_worker(stage):
    script = """
local kept = reload.keep("n", {{ asked = 0 }})
{loop}
listen($proxy):serveHTTP(function() kept.asked = kept.asked + 1 return Message("{text}") end)
"""
    proxy = stage.proxy(script.format(loop="", text="one"), {"workers": 2})
    same({answer(stage, proxy) for _ in range(20)}, {"one"})
    line = Scripts(proxy).hang_up(script.format(loop="while kept.asked > 0 do end", text="two"))
    yes(re.search(r"reload failed, version 1 goes on: .*proxy.lua:3: the top of the file has not ended in time", line), line)
    same({answer(stage, proxy) for _ in range(20)}, {"one"})


@scene("what one of four workers cannot load no worker runs")
def all_or_none(stage):
    script = """
local asked = reload.keep("asked", 0)
listen($proxy):serveHTTP(function()
  asked = reload.keep("asked", asked + 1)
  return Message("one")
end)"""
    added = play.free_port()
    proxy = stage.proxy(script, {"workers": 4})
    scripts = Scripts(proxy, added=added)
    client = stage.client(proxy)
    same(client.ask(get()).body, b"one")
    # Only the worker that has this client has counted anything, and it says no.
    line = scripts.hang_up("""
if reload.keep("asked", 0) > 0 then error("not in this worker") end
listen($added):serveHTTP(Message "added")
listen($proxy):serveHTTP(Message "two")""")
    yes(re.search("reload failed, version 1 goes on: .*proxy.lua:2: not in this worker", line), line)
    same(client.ask(get()).body, b"one")
    same({answer(stage, proxy) for _ in range(30)}, {"one"})
    with socket.socket() as probe:
        yes(probe.connect_ex(("127.0.0.1", added)) != 0, "the added port is open")
    # The count goes over by worker.
    line = scripts.hang_up(said("two"))
    yes("version 2 serves" in line, line)
    same(client.ask(get()).body, b"two")
    same({answer(stage, proxy) for _ in range(30)}, {"two"})


@scene("listeners come and go: TCP and unix, with clients on them")
def listeners(stage):
    path = stage.path("socket")
    proxy = stage.proxy(said("one") + "\nlisten($second):serveHTTP(Message 'second')", {"workers": 2})
    scripts = Scripts(proxy, path=path)
    client = stage.client(proxy.port["second"])
    same(client.ask(get()).body, b"second")
    yes("version 2 serves" in scripts.hang_up(said("two") + "\nlisten('unix:$path'):serveHTTP(Message 'unix')"), "unix")
    # The address is gone: its client hears that, and nobody else comes.
    last = client.ask(get())
    same((last.body, last.get("connection")), (b"second", "close"))
    client.ends()
    with socket.socket() as probe:
        yes(probe.connect_ex(("127.0.0.1", proxy.port["second"])) != 0, "the removed port is open")
    unix = stage.client(path)
    same(unix.ask(get()).body, b"unix")
    yes("version 3 serves" in scripts.hang_up(said("three") + "\nlisten('unix:$path'):serveHTTP(Message 'again')"), "unix again")
    same(unix.ask(get()).body, b"again")
    yes("version 4 serves" in scripts.hang_up(said("four") + "\nlisten($second):serveHTTP(Message 'back')"), "back")
    yes(not os.path.exists(path), "the unix socket's file is left")
    same(unix.ask(get()).get("connection"), "close")
    client = stage.client(proxy.port["second"])
    same(client.ask(get()).body, b"back")


def ends_within(stage, proxy, seconds):
    began = time.monotonic()
    try:
        proxy.process.wait(seconds * play.SLOWNESS)
    except subprocess.TimeoutExpired:
        raise play.Failure(f"it has not ended within {seconds} s:\n{proxy.log.text()}") from None
    proxy.log.thread.join(1)
    stage.proxies.remove(proxy)
    proxy.process.stderr.close()
    proxy.process.stdout.close()
    same(proxy.process.returncode, 0)
    return time.monotonic() - began


@scene("SIGTERM with idle clients, also of an old version, ends long before the drain time")
def drain_idle(stage):
    proxy = stage.proxy(said("one"), {"drain": "60s", "workers": 2})
    clients = [stage.client(proxy) for _ in range(20)]
    for client in clients:
        client.ask(get())
    yes("version 2 serves" in Scripts(proxy).hang_up(), "reload")
    proxy.process.send_signal(signal.SIGTERM)
    print(f"# ended after {ends_within(stage, proxy, 4):.2f} s")
    for client in clients:
        client.ends()


@scene("SIGTERM waits for who is served, old version or new; a second one does not")
def drain_busy(stage):
    gate = play.Gate("answer")

    def answering(request):
        gate.wait()
        return ok("late")

    upstream = stage.upstream(serving(answering))
    proxy = stage.proxy(play.PLAIN, {"drain": "60s"}, upstream=upstream.port)
    old = stage.client(proxy)
    old.send(get())
    until(lambda: len(upstream.requests) == 1, "the request")
    yes("version 2 serves" in Scripts(proxy).hang_up(), "reload")
    new = stage.client(proxy)
    new.send(get())
    until(lambda: len(upstream.requests) == 2, "the second request")
    proxy.process.send_signal(signal.SIGTERM)
    proxy.wait_log("draining")
    old.silent(0.3)
    gate.open()
    for client in [old, new]:
        last = client.response()
        same((last.body, last.get("connection")), (b"late", "close"))
    ends_within(stage, proxy, 4)

    gate.event.clear()
    proxy = stage.proxy(play.PLAIN, {"drain": "60s"}, upstream=upstream.port)
    stuck = stage.client(proxy)
    stuck.send(get())
    until(lambda: len(upstream.requests) == 3, "the request")
    yes("version 2 serves" in Scripts(proxy).hang_up(), "reload")
    proxy.process.send_signal(signal.SIGTERM)
    proxy.wait_log("draining")
    proxy.process.send_signal(signal.SIGHUP)  # too late for that
    proxy.process.send_signal(signal.SIGTERM)
    ends_within(stage, proxy, 2)
    same(stuck.over()[0], "reset")
    same(proxy.log.matching("version 3"), [])
    gate.open()


@scene("--reload-drain: a tunnel keeps its version that long; a wrong time is refused")
def reload_drain(stage):
    upstream = stage.upstream(lambda wire, number: wire.over())
    script = 'listen($proxy):connect("127.0.0.1:$upstream")'
    proxy = stage.proxy(script, {"words": ["--reload-drain", "1s"]}, upstream=upstream.port)
    client = stage.client(proxy)
    client.send("x")
    line = Scripts(proxy).hang_up()
    yes("0 move, 1 end with the version before" in line, line)
    began = time.monotonic()
    same(client.over()[0], "reset")
    yes(0.8 < time.monotonic() - began < 4 * play.SLOWNESS, f"cut after {time.monotonic() - began:.1f} s")
    done = stage.run(play.BINARY, "run", "--reload-drain", "soon", proxy.folder + "/proxy.lua", check=False)
    same(done.returncode, 2)
    yes(b'--reload-drain: "soon" is no time; write 10s or 1m' in done.stderr, done.stderr)


@scene("reload.keep and reload.onUnload: values go over, the end of a version is told once")
def survival(stage):
    script = """
local seen = reload.keep("seen", { count = 0 })
reload.onUnload(function() log.info("version $version has ended") end)
listen($proxy):serveHTTP(function()
  seen.count = seen.count + 1
  return Message(tostring(seen.count))
end)"""
    proxy = stage.proxy(script, version=1)
    client = stage.client(proxy)
    for version in range(2, 6):
        same(client.ask(get()).body, str(version - 1).encode())
        line = Scripts(proxy, version=version).hang_up(script)
        yes(f"version {version} serves" in line, line)
        proxy.wait_log(f"version {version - 1} has ended")
    same(len(proxy.log.matching("has ended")), 4)


if __name__ == "__main__":
    main()
