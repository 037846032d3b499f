"""What hostile clients and upstreams once made the proxy do: keep descriptors, memory, or others waiting."""

import contextlib
import resource
import time

import play
from play import End, PLAIN, get, main, ok, same, scene, until, yes


@scene("a relay whose upstream has ended lets go of a client that sends on and leaves")
def relay_leaves(stage):
    def act(wire, number):
        wire.some()
        wire.send(b"bye")

    upstream = stage.upstream(act)
    proxy = stage.proxy('listen($proxy):connect("127.0.0.1:$upstream")', upstream=upstream.port)
    before = proxy.descriptors()
    for _ in range(20):
        client = stage.client(proxy)
        client.send(b"hello")
        same(client.rest(), b"bye")
        for _ in range(2):
            client.try_send(b"more")
            time.sleep(0.01)
        client.close()
    until(lambda: proxy.descriptors() <= before, f"descriptors to go back from {proxy.descriptors()} to {before}", 5)


COLLECT = """
listen($proxy):serveHTTP(function(req) return Message(tostring(#req.body)) end)
listen($noise):serveHTTP(Message(("x"):rep(15000)))
"""


@scene("a collected body that comes byte by byte, among other traffic, costs about its size")
def trickled_body(stage):
    proxy = stage.proxy(COLLECT)
    noise = stage.client(proxy.port["noise"])
    client = stage.client(proxy)
    size = 3000
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
    noise.ask(get("/" + "n" * 6000))
    before = proxy.resident()
    for _ in range(size):
        client.send(b"b")
        noise.send(get("/" + "n" * 6000))
        noise.response()
    more = proxy.resident() - before
    same(client.response().body, str(size).encode())
    if not play.SANITIZED:
        yes(more < 4 << 20, f"{more >> 10} KiB more for {size} bytes")


@scene("a collected body of a million one-byte chunks costs about its size")
def tiny_chunks(stage):
    proxy = stage.proxy(COLLECT)
    client = stage.client(proxy)
    client.ask(get("/"))
    before = proxy.resident()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        client.send(b"1\r\nx\r\n" * 5000)
    client.send(b"0\r\n\r\n")
    same(client.response().body, b"500000")
    more = proxy.resident() - before
    if not play.SANITIZED:
        yes(more < 8 << 20, f"{more >> 10} KiB more for 500,000 bytes")


@scene("a body that streams on byte by byte, among other traffic, pins nothing while it may have to be sent again")
def trickled_on(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(PLAIN + 'listen($noise):serveHTTP(Message(("x"):rep(15000)))', upstream=upstream.port)
    noise = stage.client(proxy.port["noise"])
    client = stage.client(proxy)
    size = 3000
    client.send(f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
    noise.ask(get("/" + "n" * 6000))
    before = proxy.resident()
    for _ in range(size):
        client.send(b"b")
        noise.send(get("/" + "n" * 6000))
        noise.response()
    more = proxy.resident() - before
    same(client.response().body, b"/x")
    same(upstream.requests[0].body, b"b" * size)
    if not play.SANITIZED:
        yes(more < 4 << 20, f"{more >> 10} KiB more for {size} bytes")


@scene("answers that wait for the first one share one bound")
def waiting_answers(stage):
    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.path != "/never":
                wire.send(ok(b"x" * (1 << 20)))

    upstream = stage.upstream(act)
    proxy = stage.proxy('listen($proxy):demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream")))', upstream=upstream.port)
    before = proxy.resident()
    client = stage.client(proxy)
    client.send(get("/never") + get("/big") * 63)
    until(lambda: len(upstream.requests) >= 20, "the requests to be sent")
    time.sleep(0.5)
    more = proxy.resident() - before
    if not play.SANITIZED:
        yes(more < 6 << 20, f"{more >> 10} KiB more")


@scene("clients that pipeline to an upstream that never answers leave descriptors for others")
def pipelined_to_a_mute(stage):
    def act(wire, number):
        with contextlib.suppress(End):
            while True:
                wire.fill()

    mute, good = stage.upstream(act), stage.upstream()
    limit = 200
    proxy = stage.proxy("""
listen($proxy):demuxHTTP("web")
pipeline("web"):route(function(ctx) return ctx.request.path == "/mute" and "mute" or "good" end)
pipeline("mute"):muxHTTP(pipeline():connect("127.0.0.1:$mute"))
pipeline("good"):muxHTTP(pipeline():connect("127.0.0.1:$good"))
""", {"limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))}, mute=mute.port, good=good.port)
    for _ in range(10):
        stage.client(proxy).send(get("/mute") * 64)
    until(lambda: mute.connections >= 10, "the mute upstream's connections")
    for _ in range(20):
        same(stage.client(proxy).ask(get("/x")).body, b"/x")
    yes(proxy.descriptors() < limit * 3 // 4, f"{proxy.descriptors()} descriptors of {limit}")


@scene("clients that send thousands of requests in a row leave others their turn")
def floods(stage):
    proxy = stage.proxy("local n = 0; listen($proxy):serveHTTP(function() n = n + 1; return Message(tostring(n)) end)")
    flood = get("/") * 10000
    floods = [stage.client(proxy) for _ in range(20)]
    for client in floods:
        stage.in_thread(lambda client=client: client.try_send(flood))
    good = stage.client(proxy)
    numbers = [int(good.ask(get("/")).body) for _ in range(20)]
    for client in floods:
        client.close()
    # 20 connections have 32 requests a turn each; without a share a turn takes all that a read brought.
    between = sorted(later - earlier for earlier, later in zip(numbers, numbers[1:]))
    yes(between[-1] < 6000, f"requests done between two answers: {between}")


@scene("a pipelined request that expects 100-continue gets it when its turn comes")
def late_continue(stage):
    proxy = stage.proxy("listen($proxy):serveHTTP(function(req) return Message(req.path .. (req.body or '')) end)")
    client = stage.client(proxy)
    client.send(get("/1") + "POST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    same(client.response().body, b"/1")
    same(client.head().status, 100)
    client.send("hello")
    same(client.response().body, b"/2hello")


@scene("a malformed body is a 400 for serveHTTP too, and a cut one is nobody's mistake")
def malformed_body(stage):
    proxy = stage.proxy("listen($proxy):serveHTTP(function(req) return Message(req.body) end)")
    client = stage.client(proxy)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    same(client.response().status, 400)
    client.ends()
    client = stage.client(proxy)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    client.shut()
    same(client.response().status, 400)
    yes(not proxy.log.matching("no-answer"), proxy.log.text())


if __name__ == "__main__":
    main()
