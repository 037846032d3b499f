"""Bounds: connections, times, memory, descriptors."""

import resource
import select
import time

import play
from play import PLAIN, End, Gate, get, main, ok, same, scene, serving, until, yes


@scene("maxConnections: those beyond wait in the backlog until one goes")
def max_connections(stage):
    proxy = stage.proxy('listen($proxy, { maxConnections = 3 }):serveHTTP(Message "x")')
    inside = [stage.client(proxy) for _ in range(3)]
    same([client.ask(get()).body for client in inside], [b"x"] * 3)
    for client in inside:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n")
    waiting = stage.client(proxy)
    waiting.send(get())
    waiting.silent(0.2)
    inside[0].close()
    same(waiting.response().body, b"x")
    same([client.ask("\r\n", "GET").body for client in inside[1:]], [b"x"] * 2)


@scene("maxConnections holds for all workers together, and idle connections give way")
def max_connections_of_workers(stage):
    proxy = stage.proxy('listen($proxy, { maxConnections = 4 }):serveHTTP(Message "x")', {"workers": 4})
    inside = [stage.client(proxy) for _ in range(4)]
    for client in inside:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n")
    proxy.wait_log("serves with 4 workers")
    time.sleep(0.1)
    late = [stage.client(proxy) for _ in range(8)]
    for client in late:
        client.send(get())
    until(lambda: proxy.log.matching("accept paused: 4 connections are open"), "the limit")
    time.sleep(0.3)
    answered = sum(bool(select.select([client.sock], [], [], 0)[0]) for client in late)
    same(answered, 0, "of 8 that were let in beyond the limit")
    for client in inside:
        same(client.ask("\r\n", "GET").body, b"x")
    same([client.response().body for client in late], [b"x"] * 8)


@scene("maxConnectionsPerIP: one address cannot take it all, and gets its place back")
def max_connections_per_ip(stage):
    proxy = stage.proxy('listen($proxy, { maxConnectionsPerIP = 2 }):serveHTTP(Message "x")')

    def tries():
        try:
            client = stage.client(proxy)
            client.try_send(get("/", "Connection: close"))
            return client.response().body
        except (End, ConnectionError):
            return b""

    inside = [stage.client(proxy) for _ in range(2)]
    same([client.ask(get()).body for client in inside], [b"x"] * 2)
    same(tries(), b"")
    same(stage.client(proxy, source="127.0.0.7").ask(get()).body, b"x")
    inside[0].shut()
    inside[0].ends()

    until(lambda: tries() == b"x", "the place of the one that left")


@scene("headTimeout: a head that does not end is a 408 and the close; a connection that says nothing is just closed")
def head_timeout(stage):
    proxy = stage.proxy('listen($proxy, { headTimeout = "600ms" }):serveHTTP(Message "x")')
    slow, mute, second = [stage.client(proxy) for _ in range(3)]
    same(second.ask(get()).body, b"x")
    second.send("GET / HT")
    slow.send("GET / HTTP/1.1\r\nHost: x\r\n")
    for _ in range(3):
        slow.silent(0.05)
        slow.send("A: b\r\n")
    for client in [slow, second]:
        answer = client.response()
        same((answer.status, answer.has_token("connection", "close")), (408, True))
        client.ends()
    mute.ends()
    proxy.wait_log("client head-timeout.*408")


@scene("idleTimeout: a client connection without requests is closed, not one with a request that takes longer")
def idle_timeout(stage):
    proxy = stage.proxy("""
listen($proxy, { idleTimeout = "250ms" }):serveHTTP(function(req) if req.path == "/slow" then sleep(0.6) end; return Message "x" end)
""")
    idle, busy = stage.client(proxy), stage.client(proxy)
    busy.send(get("/slow"))
    same(idle.ask(get()).body, b"x")
    began = time.monotonic()
    idle.ends()
    yes(time.monotonic() - began > 0.15, "closed too early")
    same(busy.response().body, b"x")
    busy.ends()


@scene("readTimeout: a body that stops is a 408")
def body_timeout(stage):
    upstream = stage.upstream()
    proxy = stage.proxy("""
listen($proxy, { readTimeout = "300ms" }):demuxHTTP(pipeline():handleMessageBody(function() end):muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    client = stage.client(proxy)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    answer = client.response()
    same((answer.status, answer.has_token("connection", "close")), (408, True))
    client.ends()
    same(upstream.requests, [])
    proxy.wait_log("client body-timeout.*408")


@scene("writeTimeout: a client that does not read is cut")
def write_timeout(stage):
    upstream = stage.upstream(endless(1 << 30))
    proxy = stage.proxy("""
listen($proxy, { writeTimeout = "300ms" }):demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    client = stage.client(proxy, receive_buffer=4096)
    client.send(get("/big"))
    proxy.wait_log("write-timeout.*cut")


MEBI = 1 << 20


def endless(size):
    """An act that offers so many bytes, and remembers in wire.upstream.taken how many were taken."""
    def act(wire, number):
        while wire.request().path != "/big":
            wire.send(ok("small"))
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        piece = bytes(MEBI)
        wire.upstream.taken = 0
        while wire.upstream.taken < size and wire.try_send(piece):
            wire.upstream.taken += len(piece)

    return act


@scene("a slow reader of a 1 GiB answer costs under 1 MiB of buffers (8 MiB of memory in all)")
def slow_reader(stage):
    client, upstream, proxy = stage.plain(endless(1 << 30))
    for _ in range(3):
        client.ask(get())
    client.close()
    client = stage.client(proxy, receive_buffer=65536)
    before = proxy.resident()
    client.send(get("/big", "Connection: close"))
    same(client.head().status, 200)
    for _ in range(20):
        client.exactly(50_000)
        time.sleep(0.02)
    growth = proxy.resident() - before
    print(f"# slow reader: {growth / MEBI:.1f} MiB more")
    yes(growth < 8 * MEBI * play.SLOWNESS, f"{growth / MEBI:.1f} MiB more")


@scene("a slow upstream of a 1 GiB request costs as little")
def slow_upstream(stage):
    gate = Gate("the end")

    def act(wire, number):
        wire.head()
        gate.wait()

    client, upstream, proxy = stage.plain(act)
    before = proxy.resident()
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
    client.sock.settimeout(1)
    sent = 0
    while sent < 1 << 30 and client.try_send(bytes(MEBI)):
        sent += MEBI
    growth = proxy.resident() - before
    gate.open()
    yes(sent < 64 * MEBI, f"{sent / MEBI} MiB of a body that nobody reads were taken")
    yes(growth < 8 * MEBI * play.SLOWNESS, f"{growth / MEBI:.1f} MiB more")


@scene("a relay with one slow side costs a bounded amount, either way")
def slow_relay(stage):
    gate, taken = Gate("the end"), []

    def act(wire, number):
        if number > 1:
            return gate.wait()
        while wire.try_send(bytes(MEBI)):
            taken.append(1)

    upstream = stage.upstream(act)
    proxy = stage.proxy('listen($proxy):connect("127.0.0.1:$upstream")', upstream=upstream.port)
    before = proxy.resident()
    reader = stage.client(proxy, receive_buffer=65536)
    for _ in range(20):
        reader.exactly(50_000)
    writer = stage.client(proxy)
    writer.sock.settimeout(0.5)
    sent = 0
    while sent < 1 << 30 and writer.try_send(bytes(MEBI)):
        sent += MEBI
    growth = proxy.resident() - before
    gate.open()
    yes(sent < 64 * MEBI and len(taken) < 64, f"{sent / MEBI} MiB up and {len(taken)} MiB down were taken")
    yes(growth < 8 * MEBI * play.SLOWNESS, f"{growth / MEBI:.1f} MiB more")


@scene("a tunnel with one slow side costs a bounded amount, either way")
def slow_tunnel(stage):
    gate, flows, taken = Gate("the end"), Gate("bytes of the client"), []

    def act(wire, number):
        path = wire.head().path
        wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        if path == "/mute":
            wire.exactly(1000)
            flows.open()
            return gate.wait()
        while wire.try_send(bytes(MEBI)):
            taken.append(1)

    reader, _, proxy = stage.plain(act)
    before = proxy.resident()
    handshake = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    same(reader.ask(get("/fast", *handshake)).status, 101)
    for _ in range(20):
        reader.exactly(50_000)
    writer = stage.client(proxy)
    same(writer.ask(get("/mute", *handshake)).status, 101)
    writer.send(bytes(1000))
    flows.wait()
    writer.sock.settimeout(0.5)
    sent = 0
    while sent < 256 * MEBI and writer.try_send(bytes(MEBI)):
        sent += MEBI
    growth = proxy.resident() - before
    gate.open()
    yes(sent < 64 * MEBI and len(taken) < 64, f"{sent / MEBI} MiB up and {len(taken)} MiB down were taken")
    yes(growth < 8 * MEBI * play.SLOWNESS, f"{growth / MEBI:.1f} MiB more")


SESSIONS = """
local pool = algo.ResourcePool(function() return {} end)
listen($proxy)
  :handleSessionStart(function(ctx)
    ctx.cache = algo.Cache(function(key) return pool:allocate(key) end, function(key, value) pool:free(value) end)
  end)
  :demuxHTTP(pipeline()
    :handleMessageStart(function(req, ctx) ctx.lease = ctx.cache:get("k") end)
    :muxHTTP(pipeline():connect("127.0.0.1:$upstream"), function(ctx) return ctx.lease end)
    :handleMessageStart(function(res, ctx) if ctx.request.path == "/raise" then error("raised") end end))
"""


@scene("sessions that come and go, however they end, leave no memory and no descriptor behind")
def sessions_come_and_go(stage):
    upstream = stage.upstream(serving(lambda request: None if request.path == "/cut" else ok(request.path)))
    proxy = stage.proxy(SESSIONS, upstream=upstream.port)
    alone = proxy.descriptors()

    def round_of(count):
        for number in range(count):
            client = stage.client(proxy)
            path = ["/well", "/raise", "/cut", "/left"][number % 4]
            client.send(get(path))
            if path == "/left":
                client.reset()
            else:
                same(client.response().status, {"/well": 200, "/raise": 500, "/cut": 502}[path])
                client.close()
            stage.clients.clear()

    round_of(600)
    before = proxy.resident()
    round_of(1200)
    growth = proxy.resident() - before
    print(f"# {growth / 1024:.0f} KiB more after 1,200 sessions")
    yes(growth < 2 * MEBI * play.SLOWNESS, f"{growth / 1024:.0f} KiB more after 1,200 sessions")
    until(lambda: proxy.descriptors() <= alone + upstream.connections and proxy.descriptors() <= alone + 8, "descriptors to come back")


@scene("pipelined requests without end, whose answers nobody reads, cost a bounded amount")
def unread_answers(stage):
    proxy = stage.proxy('listen($proxy):serveHTTP(Message(("x"):rep(10000)))')
    client = stage.client(proxy, receive_buffer=4096)
    before = proxy.resident()
    client.sock.settimeout(1)
    requests = get().encode() * 1000
    sent = 0
    while sent < 64 * MEBI and client.try_send(requests):
        sent += len(requests)
    growth = proxy.resident() - before
    yes(sent < 32 * MEBI, f"{sent} bytes of requests were taken")
    yes(growth < 16 * MEBI * play.SLOWNESS, f"{growth / MEBI:.1f} MiB more")


@scene("2,000 idle keep-alive connections cost at most 4 KiB each")
def idle_connections(stage):
    # The lesson's kind of session has a table and a cache; this one has none: what is measured is the engine's.
    upstream = stage.upstream()
    proxy = stage.proxy(PLAIN.replace("$proxy", "$proxy, { idleTimeout = 600 }"), upstream=upstream.port)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) + resource.getrlimit(resource.RLIMIT_NOFILE)[1:])
    warm = [stage.client(proxy) for _ in range(100)]
    same([client.ask(get()).status for client in warm], [200] * 100)
    before = proxy.resident()
    clients = []
    for _ in range(2000):
        clients.append(stage.client(proxy))
        clients[-1].ask(get("/path", "User-Agent: a browser", "Accept: */*", "Cookie: " + "c" * 200))
    each = (proxy.resident() - before) / len(clients)
    print(f"# {each:.0f} bytes a connection")
    yes(each <= 4096 or play.SANITIZED, f"{each:.0f} bytes a connection")
    same([clients[number].ask(get("/still")).body for number in (0, 999, 1999)], [b"/still"] * 3)


@scene("descriptors run out: accepting pauses without burning time, those inside are served, and it recovers")
def descriptors(stage):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    proxy = stage.proxy('listen($proxy, { maxConnections = 0 }):serveHTTP(Message "x")', {"limits": few})
    clients = [stage.client(proxy) for _ in range(100)]
    for client in clients:
        client.send(get())
    served = [client for client in clients[:30] if client.response().body == b"x"]
    same(len(served), 30)
    proxy.wait_log("accept(ing)? pause")
    before = proxy.processor_seconds()
    for _ in range(10):
        same(served[0].ask(get()).body, b"x")
        time.sleep(0.1)
    used = proxy.processor_seconds() - before
    yes(used < 0.3 * play.SLOWNESS, f"{used:.2f} s of processor time in about 1 s of waiting")
    yes(len(proxy.log.matching("accept(ing)? pause")) <= 5, f"{len(proxy.log.matching('accept paused'))} lines about one pause")
    for client in clients[:70]:
        client.close()
    same([client.response().body for client in clients[70:]], [b"x"] * 30)


@scene("descriptors run out between client and upstream: an error answer, and it recovers")
def descriptors_upstream(stage):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    gate = Gate("all")

    def act(wire, number):
        while True:
            try:
                wire.request()
            except End:
                return
            gate.wait()
            wire.send(ok("x"))

    upstream = stage.upstream(act)
    proxy = stage.proxy(PLAIN.replace("$proxy", "$proxy, { maxConnections = 0 }"), {"limits": few}, upstream=upstream.port)
    clients = [stage.client(proxy) for _ in range(28)]
    for client in clients:
        client.send(get())
    # Some get a connection to the upstream; for others there is no descriptor: they are told.
    until(lambda: upstream.connections > 0 and proxy.log.matching("resources|accept paused|connect-failure"), "descriptors to run out")
    before = proxy.processor_seconds()
    time.sleep(0.5)
    yes(proxy.processor_seconds() - before < 0.2 * play.SLOWNESS, "busy while out of descriptors")
    gate.open()
    for client in clients[:14]:
        with_answer = client.response()
        yes(with_answer.status in (200, 502, 503), with_answer.start)
        client.close()
    same(stage.client(proxy).ask(get()).status, 200)


@scene("SIGTERM: a request in flight is answered, then the process ends; new connections are refused")
def drain(stage):
    import signal

    gate = Gate("the answer")

    def act(wire, number):
        wire.request()
        gate.wait()
        wire.send(ok("last"))
        wire.over()

    play.DRAIN, drain = "10s", play.DRAIN
    try:
        client, upstream, proxy = stage.plain(act)
    finally:
        play.DRAIN = drain
    client.send(get())
    until(lambda: upstream.requests, "the request")
    proxy.process.send_signal(signal.SIGTERM)
    proxy.wait_log("draining")

    def refuses():
        import socket
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", proxy.port["proxy"])) != 0

    until(refuses, "new connections to be refused")
    gate.open()
    same(client.response().body, b"last")
    client.close()
    same(proxy.process.wait(play.PATIENCE), 0, "exit status")
    stage.proxies.clear()
    yes(not proxy.log.matching("a bug in the engine"), proxy.log.text())


main()
