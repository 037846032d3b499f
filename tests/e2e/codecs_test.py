"""Codecs by hand: each answer belongs to its own request, on both sides of the proxy."""

from play import *

RELAY = """
listen($proxy):decodeHTTPRequest():encodeHTTPRequest():connect("127.0.0.1:$upstream")
  :decodeHTTPResponse():encodeHTTPResponse()
"""
# Bytes that a client must never take for an answer.
TRAP = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nTRAP"


def head_of(length):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()


@scene("GET and HEAD pipelined: the body of GET is not read as an answer")
def get_then_head(stage):
    both = Gate("both requests")

    def act(wire, number):
        wire.request()
        wire.request()
        both.open()
        wire.send(head_of(len(TRAP)) + TRAP + head_of(9))
        same(wire.request().path, "/3")
        wire.send(ok("third"))

    proxy = stage.proxy(RELAY, upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get("/1") + get("/2").replace("GET", "HEAD"))
    both.wait()
    client.send(get("/3"))
    same(client.response("GET").body, TRAP)
    head = client.response("HEAD")
    same(head.get("content-length"), "9")
    same(client.response().body, b"third")


@scene("each answer is written for its own request: by its version, its trailers and its end")
def by_its_own_request(stage):
    def act(wire, number):
        for _ in range(2):
            wire.request()
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"
        wire.send(chunked * 2)
        with contextlib.suppress(End):
            wire.fill()

    proxy = stage.proxy(RELAY, upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get("/1", "TE: trailers", "Connection: TE") + "GET /2 HTTP/1.0\r\n\r\n" + get("/never"))
    first = client.response()
    same((first.body, first.trailers, first.get("connection")), (b"hi", [("x-sum", "1")], None))
    second = client.response()
    same((second.body, second.get("transfer-encoding"), second.get("connection")), (b"hi", None, "close"))
    client.ends()


@scene("behind the last request nothing is asked: Connection: close ends the stream after its answer")
def last_request(stage):
    upstream = stage.upstream(serving())
    client = stage.client(stage.proxy(RELAY, upstream=upstream.port))
    client.send(get("/1") + get("/2", "Connection: close") + get("/3"))
    same([client.response().body, client.response().body], [b"/1", b"/2"])
    client.ends()
    same([request.path for request in upstream.requests], ["/1", "/2"])


@scene("no more than 64 exchanges are open; with each answer another request is read")
def bounded(stage):
    full = Gate("64 requests")

    def act(wire, number):
        for _ in range(64):
            wire.request()
        wire.silent()
        full.open()
        for number in range(64):
            wire.send(ok(str(number)))
        for number in range(64, 200):
            wire.request()
            wire.send(ok(str(number)))

    client = stage.client(stage.proxy(RELAY, upstream=stage.upstream(act).port))
    client.send("".join(get(f"/{number}") for number in range(200)))
    full.wait()
    same([client.response().body for _ in range(200)], [str(number).encode() for number in range(200)])


@scene("an early answer waits for the answers of the requests before it")
def early_answer(stage):
    asked = Gate("the first request")
    answer = Gate("to answer the first")

    def act(wire, number):
        same(wire.request().path, "/1")
        asked.open()
        same(wire.request().path, "/3")
        answer.wait()
        wire.send(ok("one") + ok("three"))

    proxy = stage.proxy("""
listen($proxy):decodeHTTPRequest()
  :handleMessageStart(function(req) if req.path == "/2" then return Message { status = 403, body = "two" } end end)
  :encodeHTTPRequest():connect("127.0.0.1:$upstream"):decodeHTTPResponse():encodeHTTPResponse()
""", upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get("/1") + get("/2") + get("/3"))
    asked.wait()
    client.silent()
    answer.open()
    same([client.response().body for _ in range(3)], [b"one", b"two", b"three"])


@scene("a method that a script changes: the upstream's answer is read by what was sent")
def changed_method(stage):
    def act(wire, number):
        same(wire.request().method, "HEAD")
        wire.send(head_of(len(TRAP)))
        same(wire.request().path, "/2")
        wire.send(ok("second"))

    proxy = stage.proxy("""
listen($proxy):decodeHTTPRequest()
  :handleMessageStart(function(req) if req.path == "/1" then req.method = "HEAD" end end)
  :encodeHTTPRequest():connect("127.0.0.1:$upstream"):decodeHTTPResponse():encodeHTTPResponse()
""", upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get("/1"))
    same(client.response("GET").body, b"")
    same(client.ask(get("/2")).body, b"second")


@scene("bytes that answer no request end the stream, a 101 that nobody asked for cuts it")
def unasked(stage):
    def act(wire, number):
        wire.request()
        wire.send(ok("right") + TRAP if number == 1 else b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + TRAP)
        wire.over()

    proxy = stage.proxy(RELAY, upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get())
    same(client.response().body, b"right")
    client.ends()
    client = stage.client(proxy)
    client.send(get())
    same(client.over(), ("reset", b""))


@scene("TRACE and OPTIONS: Max-Forwards counts this hop, and the last one answers")
def max_forwards(stage):
    upstream = stage.upstream(serving(lambda request: ok(request.get("max-forwards"))))
    client = stage.client(stage.proxy(RELAY, upstream=upstream.port))
    for method, hops in [("OPTIONS", 2), ("OPTIONS", 0), ("TRACE", 0), ("TRACE", 1), ("GET", 0)]:
        client.send(get("/", f"Max-Forwards: {hops}").replace("GET", method))
    same([(answer.status, answer.body) for answer in [client.response() for _ in range(5)]],
         [(200, b"1"), (204, b""), (405, b""), (200, b"0"), (200, b"0")])
    same([request.method for request in upstream.requests], ["OPTIONS", "TRACE", "GET"])


@scene("a malformed head is answered when the requests before it are; a malformed body cuts")
def malformed(stage):
    answer = Gate("to answer")

    def act(wire, number):
        with contextlib.suppress(End):
            wire.request()
        answer.wait()
        wire.try_send(ok("first"))
        wire.over()

    proxy = stage.proxy(RELAY, upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get("/1") + get("/2", "Content-Length: x") + get("/3"))
    client.silent()
    answer.open()
    same(client.response().body, b"first")
    refusal = client.response()
    same((refusal.status, refusal.get("connection")), (400, "close"))
    client.ends()
    client = stage.client(proxy)
    client.send(get("/1") + get("/2", "Transfer-Encoding: chunked") + "zz\r\n")
    same(client.over()[0], "reset")


@scene("an upgrade: nothing behind it is parsed, and after the 101 bytes go both ways")
def upgrade(stage):
    def act(wire, number):
        same(wire.request().get("upgrade"), "websocket")
        wire.silent()
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        same(wire.exactly(len(get("/not-http"))).decode(), get("/not-http"))
        same(wire.exactly(4), b"more")
        wire.send("bye")

    proxy = stage.proxy(RELAY, upstream=stage.upstream(act).port)
    client = stage.client(proxy)
    client.send(get("/", "Connection: upgrade", "Upgrade: websocket") + get("/not-http"))
    same(client.head().status, 101)
    same(client.exactly(5), b"hello")
    client.send("more")
    same(client.rest(), b"bye")


@scene("an upgrade that is refused: what is behind it is parsed as a request after all")
def upgrade_refused(stage):
    upstream = stage.upstream(serving())
    client = stage.client(stage.proxy(RELAY, upstream=upstream.port))
    client.send(get("/1", "Connection: upgrade", "Upgrade: websocket") + get("/2"))
    same([client.response().body, client.response().body], [b"/1", b"/2"])


main()
