"""What goes wrong, and the one answer to it."""

import re
import socket

from play import End, Failure, Gate, body_of, get, main, ok, post, same, scene, serving, until, yes

GUARDED = """
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect(%s))
  :handleMessageStart(function(res)
    if res.error then log.info("joint " .. res.status .. " " .. res.error.code .. " " .. res.error.side) end
  end))
"""


def wants(stage, script, status, code, request=None, **names):
    """One request to the script is answered so; the connection goes on; the log and the script know the code."""
    proxy = stage.proxy(script, **names)
    client = stage.client(proxy)
    for _ in range(2):
        answer = client.ask(request or get("/path"))
        same(answer.status, status)
        yes(answer.body, "an error answer says something")
    proxy.wait_log(f"upstream {code}: .*GET /path.* -> {status}")
    proxy.wait_log(f"joint {status} {code} upstream", 2)
    return proxy, client


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@scene("a refused upstream is a 502, and the client's connection goes on")
def refused(stage):
    wants(stage, GUARDED % '"127.0.0.1:$upstream"', 502, "connect-failure", upstream=unused_port())


@scene("a POST with a body to a refused upstream is a 502 in step")
def refused_post(stage):
    proxy = stage.proxy(GUARDED % '"127.0.0.1:$upstream"', upstream=unused_port())
    client = stage.client(proxy)
    client.send(post("some body"))
    same(client.response().status, 502)


@scene("an upstream whose name does not resolve is a 502")
def unresolvable(stage):
    wants(stage, GUARDED % '"no-such-host.invalid:80"', 502, "resolve-failure")


@scene("localhost is resolved")
def resolvable(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(GUARDED % '"localhost:$upstream"', upstream=upstream.port)
    same(stage.client(proxy).ask(get("/a")).body, b"/a")


def black_hole(stage):
    """A port that takes no connection and refuses none: its backlog is full."""
    hole = socket.socket()
    hole.bind(("127.0.0.1", 0))
    hole.listen(0)
    port = hole.getsockname()[1]
    fillers = []
    for _ in range(64):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        fillers.append(filler)
    stage.clients += [hole, *fillers]
    probe = socket.socket()
    probe.settimeout(0.2)
    try:
        probe.connect(("127.0.0.1", port))
        raise Failure("the black hole takes connections")
    except TimeoutError:
        pass
    finally:
        probe.close()
    return port


@scene("an upstream that never takes the connection is a 502 after connectTimeout")
def connect_timeout(stage):
    wants(stage, GUARDED % '"127.0.0.1:$upstream", { connectTimeout = "200ms" }', 502, "connect-timeout", upstream=black_hole(stage))


def silence(wire, number):
    wire.over()


@scene("an upstream that never answers is a 504 after readTimeout")
def read_timeout(stage):
    upstream = stage.upstream(silence)
    wants(stage, GUARDED % '"127.0.0.1:$upstream", { readTimeout = "200ms" }', 504, "read-timeout", upstream=upstream.port)
    until(lambda: upstream.connections == 2, "a fresh connection for the second request")


@scene("readTimeout counts silence, not the whole answer")
def read_timeout_steady(stage):
    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(6):
            wire.silent(0.15)
            wire.send("1\r\nx\r\n")
        wire.send("0\r\n\r\n")
        wire.over()

    upstream = stage.upstream(act)
    proxy = stage.proxy(GUARDED % '"127.0.0.1:$upstream", { readTimeout = "600ms" }', upstream=upstream.port)
    same(stage.client(proxy).ask(get()).body, b"xxxxxx")


@scene("an answer that stops in its body for readTimeout is cut")
def read_timeout_in_body(stage):
    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        wire.over()

    upstream = stage.upstream(act)
    proxy = stage.proxy(GUARDED % '"127.0.0.1:$upstream", { readTimeout = "200ms" }', upstream=upstream.port)
    client = stage.client(proxy)
    client.send(get())
    same(client.head().status, 200)
    same(client.over()[1], b"half")
    proxy.wait_log("read-timeout.*cut")


@scene("timeout() is a 504 though the upstream is patient, and does not touch answers in time")
def filter_timeout(stage):
    late = Gate("the late answer")

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.path == "/late":
                late.wait()
            wire.send(ok(request.path))

    upstream = stage.upstream(act)
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():timeout("500ms"):muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    client = stage.client(proxy)
    same(client.ask(get("/soon")).body, b"/soon")
    same(client.ask(get("/late")).status, 504)
    same(client.ask(get("/soon")).body, b"/soon")
    late.open()
    same(client.ask(get("/again")).body, b"/again")
    proxy.wait_log("request-timeout.*GET /late.*504")


@scene("timeout() ends with the answer's head: a slow body is not cut")
def filter_timeout_body(stage):
    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        wire.silent(0.4)
        wire.send("b")
        wire.over()

    upstream = stage.upstream(act)
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():timeout("200ms"):muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    same(stage.client(proxy).ask(get()).body, b"ab")


LIMITED = """
listen($proxy):demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream"), "one", { maxSessions = 1, %s }))
"""


def held(stage, options):
    """A pool whose one connection is busy until the gate opens: (proxy, upstream, gate, the client that holds it)."""
    gate = Gate("the first answer")

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.path == "/hold":
                gate.wait()
            wire.send(ok(request.path))

    upstream = stage.upstream(act)
    proxy = stage.proxy(LIMITED % options, upstream=upstream.port)
    holder = stage.client(proxy)
    holder.send(get("/hold"))
    until(lambda: upstream.requests, "the connection to be busy")
    return proxy, upstream, gate, holder


@scene("a full queue is a 503 at once, and those who wait get their turn")
def queue_full(stage):
    proxy, upstream, gate, holder = held(stage, "queue = 2")
    waiting = [stage.client(proxy) for _ in range(2)]
    for number, client in enumerate(waiting):
        client.send(get(f"/{number}"))
        client.silent(0.1)
    same(stage.client(proxy).ask(get("/full")).status, 503)
    proxy.wait_log("queue-full.*GET /full.*503")
    gate.open()
    same([client.response().body for client in [holder, *waiting]], [b"/hold", b"/0", b"/1"])
    same(upstream.connections, 1, "connections")


@scene("waiting in the queue longer than queueTimeout is a 503")
def queue_timeout(stage):
    proxy, upstream, gate, holder = held(stage, 'queueTimeout = "200ms"')
    client = stage.client(proxy)
    same(client.ask(get("/late")).status, 503)
    proxy.wait_log("queue-timeout.*GET /late.*503")
    gate.open()
    same(holder.response().body, b"/hold")
    same(client.ask(get("/next")).body, b"/next")
    same([request.path for request in upstream.requests], ["/hold", "/next"])


@scene("a client that leaves the queue makes room, and its request is never sent")
def queue_left(stage):
    proxy, upstream, gate, holder = held(stage, "queue = 1")
    leaver = stage.client(proxy)
    leaver.send(get("/left"))
    leaver.silent(0.1)
    leaver.reset()
    follower = stage.client(proxy)

    def gets_in():
        follower.send(get("/next"))
        try:
            follower.silent(0.1)
            return True
        except Failure:
            same(follower.response().status, 503)
            return False

    until(gets_in, "room in the queue")
    gate.open()
    same((holder.response().body, follower.response().body), (b"/hold", b"/next"))
    same([request.path for request in upstream.requests], ["/hold", "/next"])


@scene("a handler that raises is a 500 with one traceback; other sessions and requests are unharmed")
def script_error(stage):
    proxy = stage.proxy("""
listen($proxy):serveHTTP(function(req)
  if req.path == "/bad" then
    local nothing
    return nothing.field
  end
  return Message(req.path)
end)
""")
    other = stage.client(proxy)
    same(other.ask(get("/1")).body, b"/1")
    client = stage.client(proxy)
    client.send(get("/before") + get("/bad") + get("/after"))
    same([client.response().status for _ in range(3)], [200, 500, 200])
    same(other.ask(get("/2")).body, b"/2")
    proxy.wait_log(r"proxy\.lua:5")
    proxy.wait_log("-> 500")


@scene("a handler that returns what it may not is a 500 that names what came")
def script_wrong_return(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():handleMessageStart(function(req) return 42 end):replaceMessage(Message "x"))
""")
    same(stage.client(proxy).ask(get()).status, 500)
    proxy.wait_log("number|42")


@scene("replaceMessage that forgets to return is a 500 that says so")
def script_forgot_return(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():replaceMessage(function(req) end))
""")
    same(stage.client(proxy).ask(get()).status, 500)
    proxy.wait_log("forgot return")


@scene("a request that nobody answers is a 500")
def no_answer(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():route(function() return "silent" end))
pipeline("silent"):handleMessageStart(function() end)
""")
    same(stage.client(proxy).ask(get()).status, 500)
    proxy.wait_log("no-answer|answered")


MALFORMED = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a space too many": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: x\n\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "length and chunked": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length with a plus": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    "a huge length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "a NUL in a value": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "an empty name": b"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "a control byte in the target": b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad chunk size": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "a chunk without its line end": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "a chunk size that overflows": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
}


@scene("malformed requests are each one 400, then the connection closes, and nothing reaches the upstream whole")
def malformed(stage):
    requests = []

    def act(wire, number):
        try:
            requests.append(wire.request().start)
        except End:
            return
        wire.send(ok("accepted"))
        wire.over()

    _, upstream, proxy = stage.plain(act)
    wrong = []
    for name, request in MALFORMED.items():
        client = stage.client(proxy)
        # What comes behind must not be taken for a request of its own.
        client.send(request + get("/behind").encode())
        try:
            answer = client.response()
            if answer.status != 400 or not answer.has_token("connection", "close"):
                wrong.append(f"{name}: {answer.start} {answer.fields}")
            client.ends()
        except (End, Failure) as failure:
            wrong.append(f"{name}: {failure}")
    same(wrong, [])
    same(requests, [], "complete requests at the upstream")


SMUGGLING = [
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked;a=b", "Transfer-Encoding:",
    "Content-Length: 3, 4", "Content-Length: 0x3", "Content-Length: 3 3", "Content-Length:", "Content-Length : 3", "Content-Length: 3\r\nContent-Length: 3, 4",
    "Content-Length: 3\rTransfer-Encoding: chunked", "Transfer-Encoding\t: chunked",
]


@scene("no way of saying the length twice or oddly gets a request through, nor what is hidden behind it")
def smuggling(stage):
    _, upstream, proxy = stage.plain(serving(lambda request: ok("accepted " + request.path)))
    wrong = []
    for fields in SMUGGLING:
        client = stage.client(proxy)
        client.send(f"POST /first HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n".encode("latin-1") + b"0\r\n\r\n" + get("/hidden").encode())
        try:
            answer = client.response()
            if answer.status not in (400, 501):
                wrong.append(f"{fields!r}: {answer.start} {answer.body}")
            client.ends()
        except (End, Failure) as failure:
            wrong.append(f"{fields!r}: {failure}")
    same(wrong, [])
    same(upstream.requests, [])


@scene("the same length twice is one length or none")
def same_length_twice(stage):
    _, upstream, proxy = stage.plain(serving(lambda request: ok(request.body)))
    for fields in ["Content-Length: 3\r\nContent-Length: 3", "Content-Length: 3, 3"]:
        answer = stage.client(proxy).ask(f"POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\nabc")
        yes((answer.status, answer.body) == (200, b"abc") or answer.status == 400, f"{fields!r}: {answer.start} {answer.body}")
    yes(all(request.all("content-length") == ["3"] for request in upstream.requests), "the length is told once")


@scene("Transfer-Encoding in a request of 1.0 is a 400")
def coding_in_10(stage):
    client, upstream, _ = stage.plain()
    client.send("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    same(client.response().status, 400)
    same(upstream.requests, [])


@scene("an unknown transfer coding is a 501, and gzip, chunked as well")
def unknown_coding(stage):
    _, upstream, proxy = stage.plain()
    for coding in ["gzip, chunked", "br"]:
        client = stage.client(proxy)
        answer = client.ask(f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")
        yes((answer.status == 501) or (coding == "br" and answer.status == 400), f"{coding}: {answer.start}")
        yes(answer.has_token("connection", "close"), "the body's end is unknown: Connection: close")
        client.ends()
    same(upstream.requests, [])


@scene("an unknown version is a 505 or a 400, and the preface of HTTP/2 is no request")
def versions(stage):
    _, upstream, proxy = stage.plain()
    for start in ["GET / HTTP/3.0", "GET / HTTP/0.9", "PRI * HTTP/2.0"]:
        client = stage.client(proxy)
        answer = client.ask(f"{start}\r\nHost: x\r\n\r\n", "GET")
        yes(answer.status in (400, 505), f"{start}: {answer.start}")
    same(upstream.requests, [])


@scene("a head over its limits is a 431, by bytes and by fields, and just under them passes")
def head_too_large(stage):
    _, upstream, proxy = stage.plain()
    for fields in [["A: " + "b" * 70_000], [f"A{number}: b" for number in range(201)], ["A: " + "b" * 8000] * 9]:
        client = stage.client(proxy)
        stage.in_thread(lambda: client.try_send(get("/", *fields)))
        answer = client.response()
        same((answer.status, answer.has_token("connection", "close")), (431, True))
        client.ends()
    for fields in [["A: " + "b" * 60_000], [f"A{number}: b" for number in range(198)]]:
        same(stage.client(proxy).ask(get("/ok", *fields)).body, b"/ok")
    same(len(upstream.requests), 2, "requests at the upstream")


@scene("a head that never ends is a 431 too")
def head_without_end(stage):
    client, upstream, _ = stage.plain()
    client.send("GET / HTTP/1.1\r\nHost: x\r\n")
    stage.in_thread(lambda: client.try_send("A: " + "b" * 200_000))
    same(client.response().status, 431)


@scene("a target over 16 KiB is a 414, also before its line has ended")
def uri_too_long(stage):
    _, upstream, proxy = stage.plain()
    for request in [get("/" + "a" * 17_000), "GET /" + "a" * 20_000]:
        client = stage.client(proxy)
        client.try_send(request)
        answer = client.response()
        same((answer.status, answer.has_token("connection", "close")), (414, True))
        client.ends()
    same(stage.client(proxy).ask(get("/" + "a" * 16_000)).status, 200)


@scene("limits of demuxHTTP are options")
def limit_options(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():replaceMessage(Message "x"), { maxHeaderSize = "1k", maxHeaders = 5, maxRequestLine = 100 })
""")
    for request, status in [(get("/", "A: " + "b" * 1100), 431), (get("/", *["A: b"] * 6), 431), (get("/" + "a" * 120), 414), (get("/"), 200)]:
        same(stage.client(proxy).ask(request).status, status)


@scene("a response head over its limits is a 502")
def response_head_too_large(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok("", "A: " + "b" * 70_000)))
    same(client.ask(get()).status, 502)


BAD_ANSWERS = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "an unasked 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nConte",
}


@scene("malformed answers are each one 502, and the client's connection goes on")
def bad_answers(stage):
    def act(wire, number):
        request = wire.request()
        wire.send(BAD_ANSWERS.get(request.path[1:].replace("_", " "), ok("good")))

    client, upstream, _ = stage.plain(act)
    wrong = []
    for name in BAD_ANSWERS:
        answer = client.ask(get("/" + name.replace(" ", "_")))
        if answer.status != 502:
            wrong.append(f"{name}: {answer.start}")
    same(wrong, [])
    same(client.ask(get("/good")).body, b"good")


@scene("a flood of interim answers is cut with a 502")
def interim_flood(stage):
    client, upstream, _ = stage.plain(serving(lambda request: b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 50 + ok("x")))
    client.send(get())
    count = 0
    while (answer := client.response()).status == 103:
        count += 1
    yes(answer.status == 502 and count <= 20, f"{count} interim answers, then {answer.start}")


COLLECTING = """
listen($proxy):demuxHTTP(pipeline()
  :handleMessage(function(msg) log.info("collected " .. #msg.body) end, { limit = "1k", over = "%s" })
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
"""


@scene("a body over the limit of handleMessage is a 413 that the client can read; under it all is well")
def body_too_large(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(COLLECTING % "error", upstream=upstream.port)
    same(stage.client(proxy).ask(post(bytes(1024), "/fits")).body, b"/fits")
    for size in [1025, 500_000, 20_000_000]:
        client = stage.client(proxy)
        stage.in_thread(lambda: client.try_send(post(bytes(size))))
        answer = client.response()
        same(answer.status, 413)
        yes(answer.has_token("connection", "close") or size == 1025, "the rest of the body is not read: Connection: close")
    chunked = stage.client(proxy)
    chunked.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + bytes(1024) + b"\r\n1\r\nx\r\n")
    same(chunked.response().status, 413)
    same([request.path for request in upstream.requests], ["/fits"])
    proxy.wait_log("client body-too-large.*413")


@scene("a body over the limit passes on, byte-exact, with over = pass, and the handler is not asked")
def body_over_pass(stage):
    upstream = stage.upstream(serving(lambda request: ok(request.body)))
    proxy = stage.proxy(COLLECTING % "pass", upstream=upstream.port)
    client = stage.client(proxy)
    for size in [1024, 1025, 300_000]:
        body = body_of(size)
        stage.in_thread(lambda: client.send(post(body)))
        yes(client.response().body == body, f"{size} bytes came back changed")
    same([int(re.search(r"collected (\d+)", line)[1]) for line in proxy.log.matching("collected")], [1024])


@scene("an answer over the limit of a collecting handler is a 502")
def response_too_large(stage):
    upstream = stage.upstream(serving(lambda request: ok(bytes(5000))))
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"))
  :handleMessage(function(res) end, { limit = "1k" }))
""", upstream=upstream.port)
    same(stage.client(proxy).ask(get()).status, 502)
    proxy.wait_log("response-too-large.*502")


@scene("errorPage answers for errors that come before there is a request")
def error_page(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():replaceMessage(Message "x"),
  { errorPage = function(err) return Message { status = 418, body = "page for " .. err.code } end })
""")
    client = stage.client(proxy)
    answer = client.ask("nonsense\r\n\r\n", "GET")
    same((answer.status, answer.body), (418, b"page for bad-request"))
    client.ends()


@scene("the error page of a dead upstream can be replaced behind the joint")
def replaced_error(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"))
  :handleMessageStart(function(res)
    if res.error then return Message { status = 503, body = "Sorry: " .. res.error.code } end
  end))
""", upstream=unused_port())
    answer = stage.client(proxy).ask(get())
    same((answer.status, answer.body), (503, b"Sorry: connect-failure"))


main()
