"""How bodies begin and end on the wire."""

from play import End, Gate, body_of, digest, get, main, ok, post, same, scene, serving, until, yes


@scene("a body goes through as its first bytes come, both ways")
def streaming(stage):
    half_came, answer_seen = Gate("the first half of the request's body"), Gate("the first half of the answer")

    def act(wire, number):
        wire.head()
        same(wire.exactly(5), b"first")
        half_came.open()
        same(wire.exactly(6), b"second")
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none,")
        answer_seen.wait()
        wire.send("two.")
        wire.over()

    client, _, _ = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nfirst")
    half_came.wait()
    client.send("second")
    same(client.head().status, 200)
    same(client.exactly(4), b"one,")
    answer_seen.open()
    same(client.exactly(4), b"two.")


@scene("the answer begins while the request's body is still coming, and both go on")
def full_duplex(stage):
    def act(wire, number):
        wire.head()
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while data := wire.chunk()[0]:
            wire.send(b"%x\r\n%s\r\n" % (len(data) + 4, b"got " + data))
        wire.exactly(2)
        wire.send("0\r\n\r\n")
        wire.over()

    client, _, _ = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    same(client.head().status, 200)
    for word in [b"a", b"bc", b"def"]:
        client.send(b"%x\r\n%s\r\n" % (len(word), word))
        same(client.chunk()[0], b"got " + word)
    client.send("0\r\n\r\n")
    same(client.chunk()[0], b"")


@scene("an upstream's head goes out before its body has begun")
def head_first(stage):
    seen = Gate("the head")

    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        seen.wait()
        wire.send("ok")
        wire.over()

    client, _, _ = stage.plain(act)
    client.send(get())
    same(client.head().status, 200)
    seen.open()
    same(client.exactly(2), b"ok")


@scene("a chunked request: extensions are dropped, trailers of TE: trailers go on, the data is the same")
def chunked_request(stage):
    client, upstream, _ = stage.plain()
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                "5;name=value;flag\r\nhello\r\n6;a=\"b;c\"\r\n world\r\n0;last\r\nX-Sum: 11\r\nX-Two: b\r\n\r\n")
    same(client.response().status, 200)
    request = upstream.requests[0]
    same(request.body, b"hello world")
    same(request.trailers, [("X-Sum", "11"), ("X-Two", "b")])
    same(request.all("content-length"), [])
    yes(all(b";" not in line for _, line in request.chunks), f"extensions went on: {request.chunks}")


@scene("a chunked answer: trailers reach a client that takes them, and no other")
def chunked_answer(stage):
    client, upstream, _ = stage.plain(serving(lambda request:
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"))
    answer = client.ask(get("/", "TE: trailers", "Connection: TE"))
    same((answer.body, answer.trailers), (b"abc", [("X-Sum", "3")]))
    answer = client.ask(get("/"))
    same((answer.body, answer.trailers), (b"abc", []))
    same(upstream.connections, 1, "connections")


@scene("a body that ends with the upstream's close is whole for clients of 1.1 and of 1.0")
def close_delimited(stage):
    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\n\r\nuntil the end")

    client, _, proxy = stage.plain(act)
    answer = client.ask(get())
    same(answer.body, b"until the end")
    if answer.has_token("transfer-encoding", "chunked"):
        pass
    else:
        client.ends()
    old = stage.client(proxy)
    old.send("GET / HTTP/1.0\r\n\r\n")
    answer = old.head()
    same(answer.all("transfer-encoding"), [], "a coding that 1.0 does not know")
    same(old.rest(), b"until the end")


@scene("HEAD: the length is told, no body comes, the connection stays")
def head_request(stage):
    client, upstream, _ = stage.plain(serving(lambda request:
        b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n" if request.method == "HEAD" else ok("get")))
    answer = client.ask(get().replace("GET", "HEAD"))
    same(answer.get("content-length"), "12345")
    same(client.ask(get()).body, b"get")
    same(upstream.connections, 1, "connections")


@scene("HEAD of a chunked answer: no body, the connection stays")
def head_chunked(stage):
    client, upstream, _ = stage.plain(serving(lambda request:
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if request.method == "HEAD" else ok("get")))
    same(client.ask(get().replace("GET", "HEAD")).status, 200)
    same(client.ask(get()).body, b"get")
    same(upstream.connections, 1, "connections")


@scene("HEAD answered by a script has the length of the body and not the body")
def head_of_script(stage):
    proxy = stage.proxy('listen($proxy):serveHTTP(Message "12345")')
    client = stage.client(proxy)
    same(client.ask(get().replace("GET", "HEAD")).get("content-length"), "5")
    same(client.ask(get()).body, b"12345")


@scene("204 and 304 have no body, whatever their fields say")
def bodiless(stage):
    answers = {"/204": b"HTTP/1.1 204 No Content\r\n\r\n", "/304": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 77\r\n\r\n'}
    client, upstream, _ = stage.plain(serving(lambda request: answers.get(request.path, ok("body"))))
    answer = client.ask(get("/204"))
    same((answer.status, answer.all("content-length"), answer.all("transfer-encoding")), (204, [], []))
    answer = client.ask(get("/304"))
    same((answer.status, answer.get("etag"), answer.get("content-length")), (304, '"a"', "77"))
    same(client.ask(get("/200")).body, b"body")
    same(upstream.connections, 1, "connections")


@scene("100 Continue of the upstream is relayed before the body is sent")
def expect_continue(stage):
    def act(wire, number):
        same(wire.head().get("expect"), "100-continue")
        wire.silent()
        wire.send("HTTP/1.1 100 Continue\r\n\r\n")
        same(wire.exactly(4), b"body")
        wire.send(ok("done"))
        wire.over()

    client, _, _ = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    same(client.response().status, 100)
    client.send("body")
    same(client.response().body, b"done")


@scene("an upstream that refuses at the head: its answer comes without 100, and the connection closes")
def expect_refused(stage):
    def act(wire, number):
        wire.head()
        wire.send(ok("too large", status="413 Content Too Large"))
        wire.over()

    client, _, _ = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    answer = client.response()
    same((answer.status, answer.body), (413, b"too large"))
    yes(answer.has_token("connection", "close"), "no body was asked for, none came: Connection: close must say that it ends")
    client.ends()


@scene("a filter that wants the body before the request goes on answers 100 itself and removes Expect")
def expect_collected(stage):
    upstream = stage.upstream()
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :handleMessageBody(function(body) log.info("collected " .. #body) end)
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    client = stage.client(proxy)
    client.send("POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    same(client.response().status, 100)
    client.send("body")
    same(client.response().body, b"/x")
    same((upstream.requests[0].all("expect"), upstream.requests[0].body), ([], b"body"))


@scene("103 Early Hints is passed on before the answer, fields and all")
def early_hints(stage):
    seen = Gate("the hints")

    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        seen.wait()
        wire.send(ok("page"))
        wire.over()

    client, _, _ = stage.plain(act)
    client.send(get())
    hints = client.response()
    same((hints.status, hints.get("link")), (103, "</a.css>; rel=preload"))
    same(hints.all("content-length") + hints.all("transfer-encoding"), [])
    seen.open()
    same(client.response().body, b"page")


@scene("interim answers do not reach a client of 1.0")
def interim_for_10(stage):
    client, _, _ = stage.plain(serving(lambda request: b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok("page")))
    client.send("GET / HTTP/1.0\r\n\r\n")
    answer = client.head()
    same(answer.status, 200)
    same(client.rest(), b"page")


@scene("a client of 1.0: the connection closes after the answer, and stays with keep-alive")
def client_10(stage):
    client, upstream, proxy = stage.plain()
    client.send("GET /a HTTP/1.0\r\n\r\n")
    same(client.response().body, b"/a")
    client.ends()
    client = stage.client(proxy)
    client.send("GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    answer = client.response()
    same(answer.body, b"/b")
    yes(answer.has_token("connection", "keep-alive"), "a 1.0 client must be told that the connection stays")
    client.send("GET /c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    same(client.response().body, b"/c")
    same([request.start for request in upstream.requests], [f"GET /{name} HTTP/1.1" for name in "abc"])
    yes(all(request.all("host") for request in upstream.requests), "a request of 1.1 has a Host")


@scene("a chunked answer for a client of 1.0 is unchunked and ends with the close")
def unchunk_for_10(stage):
    client, _, _ = stage.plain(serving(lambda request:
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"))
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    answer = client.head()
    same((answer.all("transfer-encoding"), answer.has_token("connection", "keep-alive")), ([], False))
    same(client.rest(), b"abcdefg")


@scene("an upstream of 1.0: with a length, with keep-alive, and with the close as the end")
def upstream_10(stage):
    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.path == "/keep":
                wire.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nkeep")
            elif request.path == "/length":
                wire.send("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nlength")
                return
            else:
                wire.send("HTTP/1.0 200 OK\r\n\r\nclose")
                return

    client, upstream, _ = stage.plain(act)
    for name, connections in [("keep", 1), ("keep", 1), ("length", 1), ("length", 2), ("close", 3)]:
        answer = client.ask(get("/" + name))
        same((answer.body.decode(), answer.version, upstream.connections), (name, "HTTP/1.1", connections))


SIZES = [0, 1, 2, 1023, 16384, 65535, 65536, 65537, 262145, 3_000_001]


def echo(wire, number):
    """Sends each body back, framed as the path asks."""
    while True:
        try:
            request = wire.request()
        except End:
            return
        if request.path == "/chunked":
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(request.body), 50_000):
                piece = request.body[start:start + 50_000]
                wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            wire.send("0\r\n\r\n")
        elif request.path == "/close":
            wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + request.body)
            return
        else:
            wire.send(ok(request.body))


@scene("bodies of all sizes are the same bytes both ways, in every framing")
def sizes(stage):
    client, upstream, proxy = stage.plain(echo)
    for size in SIZES:
        body = body_of(size, seed=size)
        for path in ["/length", "/chunked", "/close"]:
            stage.in_thread(lambda: client.send(post(body, path)))
            answer = client.response()
            same(digest(answer.body), digest(body), f"{size} bytes by {path}")
            if answer.has_token("connection", "close"):
                client = stage.client(proxy)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [b"a", body_of(70_000), b"b" * 15])
    client.send(b"POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n")
    same(digest(client.response().body), digest(b"a" + body_of(70_000) + b"b" * 15))


@scene("64 MiB up and 64 MiB down are the same bytes")
def big(stage):
    size = 64 << 20
    body = body_of(size)

    def act(wire, number):
        request = wire.request()
        same(digest(request.body), digest(body), "the request's body")
        wire.send(ok(body))
        wire.over()

    client, _, _ = stage.plain(act)
    stage.in_thread(lambda: client.send(post(body)))
    same(digest(client.response().body), digest(body), "the answer's body")


@scene("the client's half-close after the request: the answer still comes, then the end")
def half_close(stage):
    closed = Gate("the half-close")

    def act(wire, number):
        wire.request()
        closed.wait()
        wire.send(ok("late"))
        wire.over()

    client, _, _ = stage.plain(act)
    client.send(get())
    client.shut()
    closed.open()
    same(client.response().body, b"late")
    client.ends()


@scene("the client's half-close behind three pipelined requests: all three are answered")
def half_close_pipelined(stage):
    client, upstream, _ = stage.plain()
    client.send(get("/1") + get("/2") + get("/3"))
    client.shut()
    same([client.response().body for _ in range(3)], [b"/1", b"/2", b"/3"])
    client.ends()


@scene("the client's half-close in the middle of a body: no complete request reaches the upstream")
def half_close_in_body(stage):
    ends = []

    def act(wire, number):
        ends.append(wire.over())

    client, upstream, proxy = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    client.shut()
    same(client.response().status, 400)
    client.ends()
    until(lambda: len(ends) == upstream.connections, "the upstream's connection to end")
    yes(all(len(sent.partition(b"\r\n\r\n")[2]) < 10 for _, sent in ends), f"a body that the client never sent: {ends}")
    proxy.wait_log("client (truncated|client-gone).*400")


@scene("a chunked request that is cut off has no last chunk at the upstream")
def cut_chunked_request(stage):
    ends = []

    def act(wire, number):
        wire.head()
        ends.append(wire.over())

    client, upstream, _ = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    until(lambda: upstream.requests, "the request at the upstream")
    client.reset()
    until(lambda: ends, "the upstream's connection to end")
    yes(b"0\r\n" not in ends[0][1], f"the upstream got an end that nobody sent: {ends[0]}")


def cut(stage, answer, ends_by):
    """The client's view of an answer that is cut off."""
    def act(wire, number):
        wire.request()
        wire.send(answer)
        yes(number == 1, "an answer that has begun is not asked for again")
        read.wait()
        wire.reset() if ends_by == "reset" else wire.close()

    read = Gate("the client to have the beginning")
    client, upstream, proxy = stage.plain(act)
    client.send(get())
    head = client.head()
    same(head.status, 200)
    client.some()
    read.open()
    how, rest = client.over()
    same(upstream.connections, 1, "connections")
    proxy.wait_log("truncated|reset|closed")
    return head, how, rest


for end in ["close", "reset"]:
    @scene(f"an answer shorter than its Content-Length (the upstream's {end}) never looks whole")
    def cut_length(stage, end=end):
        head, how, rest = cut(stage, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", end)
        same(head.get("content-length"), "10")
        yes(rest.startswith(b"half") and len(rest) < 10, f"the rest is {rest!r}")

    @scene(f"a chunked answer without its last chunk (the upstream's {end}) never looks whole")
    def cut_chunked(stage, end=end):
        head, how, rest = cut(stage, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", end)
        yes(head.has_token("transfer-encoding", "chunked"), "framing")
        yes(b"0\r\n\r\n" not in rest, f"a last chunk that the upstream never sent: {rest!r}")

    @scene(f"a chunk that is cut in the middle (the upstream's {end}) never looks whole")
    def cut_in_chunk(stage, end=end):
        head, how, rest = cut(stage, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf", end)
        yes(not rest.endswith(b"0\r\n\r\n"), f"a last chunk that the upstream never sent: {rest!r}")


@scene("an answer that ends with the close and is reset never looks whole, for clients of 1.1 and 1.0")
def cut_close_delimited(stage):
    read = [Gate("client 1"), Gate("client 2")]

    def act(wire, number):
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\n\r\nhalf")
        read[number - 1].wait()
        wire.reset()

    client, upstream, proxy = stage.plain(act)
    for number, request in enumerate([get(), "GET / HTTP/1.0\r\n\r\n"]):
        client = stage.client(proxy)
        client.send(request)
        head = client.head()
        client.some()
        read[number].open()
        how, rest = client.over()
        if head.has_token("transfer-encoding", "chunked"):
            yes(b"0\r\n\r\n" not in rest, f"a last chunk: {rest!r}")
        else:
            same(how, "reset", "how the client's connection ended")


@scene("what looks like a second answer behind a Content-Length never reaches a client")
def surplus(stage):
    client, upstream, proxy = stage.plain(serving(lambda request: ok(request.path) + ok("smuggled")))
    same(client.ask(get("/1")).body, b"/1")
    same(client.ask(get("/2")).body, b"/2")
    same(upstream.connections, 2, "a connection out of step is not used again")


@scene("the request's head comes byte by byte, and so does the answer")
def byte_by_byte(stage):
    def act(wire, number):
        wire.request()
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":
            wire.send(bytes([byte]))
        wire.over()

    client, upstream, _ = stage.plain(act)
    for byte in post("a=b", "/path", "X-Y: z"):
        client.send(bytes([byte]))
    same(client.response().body, b"ok")
    same((upstream.requests[0].body, upstream.requests[0].get("x-y")), (b"a=b", "z"))


main()
