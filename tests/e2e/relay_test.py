"""Bytes without a protocol, and other kinds of sockets."""

import socket
import subprocess

import play
from play import Gate, body_of, digest, get, main, post, same, scene, until, yes

RELAY = 'listen($proxy):connect("127.0.0.1:$upstream")'


@scene("a TCP relay: both ways, both half-closes, client first")
def relay_client_first(stage):
    def act(wire, number):
        same(wire.exactly(4), b"ping")
        wire.send("pong")
        wire.ends()
        wire.send("after the client's end")

    upstream = stage.upstream(act)
    client = stage.client(stage.proxy(RELAY, upstream=upstream.port))
    client.send("ping")
    same(client.exactly(4), b"pong")
    client.shut()
    same(client.rest(), b"after the client's end")


@scene("a TCP relay: the upstream's half-close first")
def relay_upstream_first(stage):
    done = Gate("the client's last bytes")

    def act(wire, number):
        wire.send("all I have")
        wire.shut()
        same(wire.rest(), b"still talking")
        done.open()

    upstream = stage.upstream(act)
    client = stage.client(stage.proxy(RELAY, upstream=upstream.port))
    same(client.rest(), b"all I have")
    client.send("still talking")
    client.shut()
    done.wait()


@scene("a server that speaks first is connected at accept")
def speaks_first(stage):
    upstream = stage.upstream(lambda wire, number: (wire.send("220 ready\r\n"), wire.over()))
    same(stage.client(stage.proxy(RELAY, upstream=upstream.port)).line(), b"220 ready")


@scene("a relay carries 16 MiB each way at once")
def relay_bulk(stage):
    up, down = body_of(16 << 20, 1), body_of(16 << 20, 2)

    def act(wire, number):
        sender = stage.in_thread(lambda: wire.send(down))
        same(digest(wire.exactly(len(up))), digest(up))
        sender.join()
        wire.over()

    upstream = stage.upstream(act)
    client = stage.client(stage.proxy(RELAY, upstream=upstream.port))
    sender = stage.in_thread(lambda: client.send(up))
    same(digest(client.exactly(len(down))), digest(down))
    sender.join()


@scene("a reset on either side is a reset on the other")
def relay_resets(stage):
    ends, arrived = [], Gate("the client's byte")

    def act(wire, number):
        wire.send("x")
        if number == 1:
            wire.exactly(1)
            wire.reset()
        else:
            wire.exactly(1)
            arrived.open()
            ends.append(wire.over()[0])

    upstream = stage.upstream(act)
    proxy = stage.proxy(RELAY, upstream=upstream.port)
    client = stage.client(proxy)
    client.exactly(1)
    client.send("y")
    same(client.over()[0], "reset")
    client = stage.client(proxy)
    client.exactly(1)
    client.send("y")
    arrived.wait()
    client.reset()
    until(lambda: ends, "the upstream's end")
    same(ends, ["reset"])


@scene("a relay to a refused upstream closes the client's connection with nothing said")
def relay_refused(stage):
    dead = stage.upstream()
    dead.close()
    proxy = stage.proxy(RELAY, upstream=dead.port)
    try:
        same(stage.client(proxy).over()[1], b"")
    except ConnectionResetError:
        pass  # the reset was faster than connect()
    proxy.wait_log("connect-failure")


@scene("a relay whose target is a function of the session")
def relay_function(stage):
    upstreams = [stage.upstream(lambda wire, number, name=name: (wire.send(name), wire.over())) for name in "ab"]
    proxy = stage.proxy("""
local turn = 0
local targets = { "127.0.0.1:$a", "127.0.0.1:$b" }
listen($proxy)
  :handleSessionStart(function(ctx) turn = turn + 1; ctx.target = targets[(turn - 1) % 2 + 1] end)
  :connect(function(ctx) return ctx.target end)
""", a=upstreams[0].port, b=upstreams[1].port)
    same([stage.client(proxy).exactly(1) for _ in range(4)], [b"a", b"b", b"a", b"b"])


@scene("insert comes before the client's bytes; replaceData rewrites them; a relay's session may be routed")
def relay_filters(stage):
    upstream = stage.upstream(lambda wire, number: wire.send(wire.rest()))
    proxy = stage.proxy("""
listen($proxy):insert("hello\\n"):connect("127.0.0.1:$upstream")
listen($shout):replaceData(function(data) return tostring(data):upper() end):connect("127.0.0.1:$upstream")
listen($routed):route(function(ctx) return ctx.client.ip == "127.0.0.1" and "near" or "far" end)
pipeline("near"):connect("127.0.0.1:$upstream")
pipeline("far"):connect("127.0.0.1:1")
""", upstream=upstream.port)
    for name, wanted in [("proxy", b"hello\nabc"), ("shout", b"ABC"), ("routed", b"abc")]:
        client = stage.client(proxy.port[name])
        client.send("abc")
        client.shut()
        same(client.rest(), wanted, name)


@scene("idleTimeout of a relay closes it when nobody says anything, and not before")
def relay_idle(stage):
    upstream = stage.upstream(lambda wire, number: wire.over())
    proxy = stage.proxy('listen($proxy, { idleTimeout = "800ms" }):connect("127.0.0.1:$upstream")', upstream=upstream.port)
    client = stage.client(proxy)
    for _ in range(5):
        client.silent(0.2)
        client.send("x")
    client.over()


@scene("unix sockets on both sides")
def unix_sockets(stage):
    upstream = stage.upstream(path=stage.path("up.sock"))
    proxy = stage.proxy("""
listen("unix:$folder/in.sock"):demuxHTTP(pipeline():muxHTTP(pipeline():connect("unix:$folder/up.sock")))
listen("unix:$folder/raw.sock"):connect("unix:$folder/up.sock")
""", folder=stage.folder)
    for name in ["in.sock", "raw.sock"]:
        client = stage.client(stage.path(name))
        same([client.ask(get(path)).body for path in ["/1", "/2"]], [b"/1", b"/2"])
    body = body_of(3_000_000)
    client = stage.client(stage.path("in.sock"))
    stage.in_thread(lambda: client.send(post(body)))
    same(client.response().status, 200)
    same(digest(upstream.requests[-1].body), digest(body))


@scene("IPv6 on both sides")
def ip6(stage):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            print("# this machine has no IPv6")
            return
    upstream = stage.upstream()
    proxy = stage.proxy("""
listen("[::1]:$six"):demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
listen($proxy):connect("[::1]:$six")
""", upstream=upstream.port)
    same(stage.client(proxy).ask(get("/six")).body, b"/six")


@scene("an address of one interface is listened at there alone")
def one_interface(stage):
    proxy = stage.proxy('listen("127.0.0.2:$proxy"):serveHTTP(Message "two")')
    wire = socket.create_connection(("127.0.0.2", proxy.port["proxy"]))
    wire.close()
    with socket.socket() as other:
        yes(other.connect_ex(("127.0.0.1", proxy.port["proxy"])) != 0, "it listens at 127.0.0.1 too")


@scene("several files run side by side, with names and locals of their own")
def several_files(stage):
    text = """
local name = "$name"
listen($port):demuxHTTP(pipeline():route(function() return "answer" end))
pipeline("answer"):replaceMessage(function() return Message(name) end)
"""
    scripts = {f"{name}.lua": text.replace("$name", name).replace("$port", "$" + name) for name in ["one", "two"]}
    proxy = stage.proxy(scripts)
    for name in ["one", "two"]:
        same(stage.client(proxy.port[name]).ask(get()).body.decode(), name)


@scene("two workers both serve, and a script's locals are one per worker")
def workers(stage):
    proxy = stage.proxy("""
local count = 0
listen($proxy):serveHTTP(function() count = count + 1; return Message(tostring(count)) end)
""", {"workers": 2})
    clients = [stage.client(proxy) for _ in range(64)]
    counts = [int(client.ask(get()).body) for client in clients]
    yes(max(counts) < 64 and len(counts) != len(set(counts)), f"one worker took everything: {counts}")
    same(sorted(counts)[-1] + len(counts) - sorted(counts)[-1], 64)


@scene("two workers, unix socket: all requests are answered")
def workers_unix(stage):
    proxy = stage.proxy('listen("unix:$folder/in.sock"):serveHTTP(Message "x")', {"workers": 2}, folder=stage.folder)
    same([stage.client(stage.path("in.sock")).ask(get()).body for _ in range(32)], [b"x"] * 32)


def start(stage, text, *words):
    """Runs perilune to its end: (status, stderr)."""
    with open(stage.path("script.lua"), "w") as file:
        file.write(text)
    done = subprocess.run([play.BINARY, *words, stage.path("script.lua")], capture_output=True, text=True, timeout=play.PATIENCE)
    return done.returncode, done.stderr


@scene("a port in use ends the start with status 1 and file:line, with any number of workers")
def port_in_use(stage):
    proxy = stage.proxy('listen($proxy):serveHTTP(Message "first")')
    for count in ["1", "2"]:
        status, said = start(stage, f'\n\nlisten({proxy.port["proxy"]}):serveHTTP(Message "second")\n', "run", "--workers", count)
        same(status, 1)
        yes("script.lua:3" in said and "use" in said, said)
        same(len(said.strip().splitlines()), 1, f"lines: {said}")
    same(stage.client(proxy).ask(get()).body, b"first")


@scene("a port just let go, with connections still in TIME_WAIT, can be listened at again")
def port_again(stage):
    proxy = stage.proxy('listen($proxy):serveHTTP(Message "first")')
    client = stage.client(proxy)
    client.send(get("/", "Connection: close"))
    client.response()
    client.ends()
    port = proxy.port["proxy"]
    same(proxy.stop(), None)
    stage.proxies.clear()
    again = stage.proxy(f'listen({port}):serveHTTP(Message "again")')
    same(stage.client(port).ask(get()).body, b"again")


@scene("a unix socket left by a process that was killed can be listened at again; one in use cannot")
def unix_again(stage):
    text = 'listen("unix:$folder/in.sock"):serveHTTP(Message "x")'
    proxy = stage.proxy(text, folder=stage.folder)
    status, said = start(stage, text.replace("$folder", stage.folder), "run")
    same(status, 1)
    proxy.process.kill()
    proxy.process.wait()
    stage.proxies.clear()
    stage.proxy(text, folder=stage.folder)
    same(stage.client(stage.path("in.sock")).ask(get()).body, b"x")


@scene("scripts that cannot load: status 1, file, line, the word and the nearest one")
def load_errors(stage):
    for text, line, words in [
        ("\nlisten(0):demuxHTP('x')\n", 2, ["demuxHTP", "demuxHTTP"]),
        ("listen(0, { maxConnection = 5 }):serveHTTP(Message 'x')\n", 1, ["maxConnection", "maxConnections"]),
        ("listen(0):demuxHTTP('routng')\npipeline('routing'):replaceMessage(Message 'x')\n", 1, ["routng", "routing"]),
        ("local x =\n", 1, []),
        ("lisen(0)\n", 1, ["lisen", "listen"]),
        ("listen(0):handleMessageStart(function() end)\n", 1, []),
        ("listen(0):connect(nil)\n", 1, ["connect"]),
        ("listen(0):serveHTTP(Message 'x'):connect('127.0.0.1:1')\n", 1, []),
    ]:
        for command in ["run", "check"]:
            status, said = start(stage, text, command)
            same(status, 1, text)
            yes(f"script.lua:{line}" in said or (line == 1 and "script.lua:2" in said and text.startswith("local")), f"{text}: {said}")
            for word in words:
                yes(word in said, f"{text}: {said}")


main()
