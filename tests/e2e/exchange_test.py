"""Requests and answers of one connection: order, fields, keep-alive, tunnels."""

from play import End, Gate, get, main, ok, post, same, scene, serving, until, yes


@scene("many requests of one connection, one after the other, over one upstream connection")
def keep_alive(stage):
    client, upstream, _ = stage.plain()
    for number in range(50):
        answer = client.ask(get(f"/{number}"))
        same((answer.body.decode(), answer.has_token("connection", "close")), (f"/{number}", False))
    same(upstream.connections, 1, "connections")


@scene("TRACE and OPTIONS: Max-Forwards counts this hop, and the last one answers")
def max_forwards(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok(request.get("max-forwards"))))
    asked = [("OPTIONS", "3"), ("OPTIONS", "0"), ("TRACE", "0"), ("TRACE", "1"), ("GET", "0"), ("OPTIONS", "0")]
    for method, hops in asked:
        client.send(get("/", f"Max-Forwards: {hops}").replace("GET", method))
    answers = [client.response() for _ in asked]
    same([answer.status for answer in answers], [200, 204, 405, 200, 200, 204])
    same([answer.body for answer in answers], [b"2", b"", b"", b"0", b"0", b""])
    same(len(upstream.requests), 3)


@scene("Connection: close of the client closes after the answer; the upstream's connection stays")
def client_close(stage):
    client, upstream, proxy = stage.plain()
    answer = client.ask(get("/1", "Connection: close"))
    yes(answer.has_token("connection", "close"), "the answer must say that it is the last one")
    client.ends()
    stage.client(proxy).ask(get("/2"))
    same(upstream.connections, 1, "connections")
    same([request.has_token("connection", "close") for request in upstream.requests], [False, False])


@scene("Connection: close of the upstream ends its connection and not the client's")
def upstream_close(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok(request.path, "Connection: close")))
    for path in ["/1", "/2"]:
        answer = client.ask(get(path))
        same((answer.body.decode(), answer.all("connection")), (path, []))
    same(upstream.connections, 2, "connections")


@scene("requests that came in one piece are answered in order")
def pipelined(stage):
    client, upstream, _ = stage.plain()
    client.send("".join(get(f"/{number}") for number in range(100)))
    same([client.response().body.decode() for _ in range(100)], [f"/{number}" for number in range(100)])


@scene("the upstream answers pipelined requests in the wrong order: the client gets them in order")
def out_of_order(stage):
    gates = {f"/{number}": Gate(f"/{number}") for number in range(4)}
    answered = []

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            gates[request.path].wait()
            answered.append(request.path)
            wire.send(ok(request.path))

    client, upstream, _ = stage.plain(act)
    client.send("".join(get(f"/{number}") for number in range(4)))
    until(lambda: len(upstream.requests) == 4, "all four at the upstream at once")
    for number in [3, 1, 2]:
        gates[f"/{number}"].open()
        until(lambda: f"/{number}" in answered, "its answer")
    client.silent()
    gates["/0"].open()
    same([client.response().body.decode() for _ in range(4)], ["/0", "/1", "/2", "/3"])


@scene("answers that wait for their turn do not grow without bound")
def waiting_answers(stage):
    gate, sent = Gate("the first answer"), []

    def act(wire, number):
        request = wire.request()
        if request.path == "/first":
            gate.wait()
            wire.send(ok("first"))
        else:
            wire.sock.settimeout(0.3)
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
            piece, count = bytes(65536), 0
            try:
                while count < 1024:
                    wire.send(piece)
                    count += 1
            except OSError:
                pass
            sent.append(count * 65536)

    client, upstream, proxy = stage.plain(act)
    before = proxy.resident()
    client.send(get("/first") + get("/second"))
    until(lambda: sent, "the second answer to be held back")
    yes(sent[0] < 32 << 20, f"{sent[0]} bytes of an answer that nobody can read yet were taken")
    yes(proxy.resident() - before < 8 << 20, f"{proxy.resident() - before} bytes more of memory")
    gate.open()
    same(client.response().body, b"first")


@scene("a body and the next request in one piece")
def body_then_request(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok(request.path.encode() + request.body)))
    client.send(post("one", "/1") + b"POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n" + post("", "/3") +
                get("/4").encode())
    same([client.response().body for _ in range(4)], [b"/1one", b"/2two", b"/3", b"/4"])


@scene("an empty line before a request is skipped")
def empty_lines(stage):
    client, upstream, _ = stage.plain()
    same(client.ask(b"\r\n" + get("/a").encode(), "GET").body, b"/a")
    same(client.ask(post("x", "/b") + b"\r\n", "POST").body, b"/b")
    same(client.ask(get("/c")).body, b"/c")


@scene("fields for one hop stay behind, those that Connection names too, both ways")
def hop_by_hop(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok(
        "", "Connection: X-Mine, keep-alive", "X-Mine: secret", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic",
        "X-Theirs: stays", "Proxy-Connection: keep-alive")))
    answer = client.ask(get("/", "Connection: X-One, x-two, keep-alive", "X-One: 1", "X-TWO: 2", "X-Three: 3", "Keep-Alive: 300",
                            "Proxy-Connection: keep-alive", "TE: gzip", "Upgrade: h2c"))
    request = upstream.requests[0]
    for name in ["x-one", "x-two", "keep-alive", "proxy-connection", "te", "upgrade"]:
        same(request.all(name), [], f"{name} at the upstream")
    same(request.get("x-three"), "3")
    for name in ["x-mine", "keep-alive", "proxy-connection"]:
        same(answer.all(name), [], f"{name} at the client")
    same(answer.get("x-theirs"), "stays")


@scene("Connection cannot take away Host or the framing of a body")
def connection_names_host(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok(request.body)))
    answer = client.ask(post("abc", "/", "Connection: Host, Content-Length"))
    request = upstream.requests[0]
    same((answer.status, request.get("host"), request.body), (200, "x", b"abc"))


@scene("repeated fields, their order, their case and odd values go through as they are")
def fields_as_they_are(stage):
    wanted = [("hOsT", "Example.COM:81"), ("X-b", "2"), ("x-A", "1"), ("X-B", "3"), ("Cookie", "a=1; b=2"), ("Cookie", "c=3"),
              ("X-Empty", ""), ("X-Latin", "caf\xe9"), ("X-Commas", "a, b ,c"), ("X-Quote", '"x\\"y"'), ("X-b", "2")]
    given = [("Server", "s/1"), ("set-COOKIE", "a=1; Path=/"), ("X-y", "1"), ("Set-Cookie", "b=2"), ("x-Y", "2"), ("DATE", "then")]
    client, upstream, _ = stage.plain(serving(lambda request: ok("", *[f"{name}: {value}" for name, value in given])))
    answer = client.ask("GET /p?q=%2F&&x HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in wanted) + "\r\n")
    same(upstream.requests[0].fields, wanted)
    same(upstream.requests[0].start, "GET /p?q=%2F&&x HTTP/1.1")
    same([field for field in answer.fields if field[0] != "Content-Length"], given)


@scene("odd targets and methods go on byte-exact")
def targets(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok("")))
    starts = ["GET /a/../b//c?d=e/../f#not HTTP/1.1", "GET /%2e%2E/%00 HTTP/1.1", "PURGE /x HTTP/1.1", "OPTIONS * HTTP/1.1",
              "GET http://example.com:8080/abs?x HTTP/1.1", "M-SEARCH /m HTTP/1.1", "QUERY /q HTTP/1.1"]
    wanted = []
    for start in starts:
        answer = client.ask(f"{start}\r\nHost: example.com:8080\r\n\r\n", "GET")
        if answer.status == 400:
            client = stage.client(stage.proxies[0])
        else:
            wanted.append(start)
    yes(len(wanted) >= len(starts) - 1, f"only these were taken: {wanted}")
    # An absolute form may go on as it is, or in origin form to the server it names.
    got = [request.start.replace("GET /abs?x", "GET http://example.com:8080/abs?x") for request in upstream.requests]
    same(got, wanted)


@scene("a target that names another host than Host: the upstream is never told two stories (RFC 9112 section 3.2.2)")
def two_hosts(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok("")))
    answer = client.ask("GET http://named.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n", "GET")
    if answer.status != 400:
        same(upstream.requests[0].get("host"), "named.example")


@scene("an unasked 100 before the answer, and answers to HEAD and GET in one piece")
def odd_order(stage):
    client, upstream, _ = stage.plain(serving(lambda request: b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"" if request.method == "HEAD" else b"body")))
    client.send(get("/1").replace("GET", "HEAD") + get("/2"))

    def final(method):
        while (answer := client.response(method)).status == 100:
            pass
        return answer

    same((final("HEAD").status, final("GET").body), (200, b"body"))


@scene("the reason and an unknown status go through")
def reasons(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok("", status=request.path[1:].replace("_", " "))))
    for status in ["299 Something Else", "200 Fine", "418 I'm a teapot"]:
        same(client.ask(get("/" + status.replace(" ", "_"))).start, f"HTTP/1.1 {status}")


HANDSHAKE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


@scene("a WebSocket: bytes right behind the 101 and right behind the request arrive, then both ways, then both ends")
def websocket(stage):
    def act(wire, number):
        request = wire.head()
        same((request.get("upgrade"), request.get("connection").lower(), request.get("sec-websocket-version")), ("websocket", "upgrade", "13"))
        wire.send(SWITCHING + "hello from upstream")
        same(wire.exactly(17), b"hello from client")
        wire.send("second")
        same(wire.exactly(6), b"answer")
        wire.ends()
        wire.send("last words")

    client, upstream, _ = stage.plain(act)
    client.send(get("/chat", *HANDSHAKE) + "hello from client")
    answer = client.head()
    same((answer.status, answer.get("upgrade"), answer.get("connection").lower()), (101, "websocket", "upgrade"))
    same(answer.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    same(client.exactly(len("hello from upstream") + len("second")), b"hello from upstreamsecond")
    client.send("answer")
    client.shut()
    same(client.rest(), b"last words")


@scene("a tunnel carries megabytes both ways at once, and its connection is never pooled")
def tunnel_bulk(stage):
    data = bytes(range(256)) * 8192

    def act(wire, number):
        if wire.head().path == "/plain":
            wire.send(ok("plain"))
            return wire.over()
        wire.send(SWITCHING)
        sender = stage.in_thread(lambda: wire.send(data))
        same(wire.exactly(len(data)) == data, True, "up")
        sender.join()
        wire.over()

    client, upstream, proxy = stage.plain(act)
    same(client.ask(get("/", *HANDSHAKE)).status, 101)
    sender = stage.in_thread(lambda: client.send(data))
    same(client.exactly(len(data)) == data, True, "down")
    sender.join()
    client.close()
    same(stage.client(proxy).ask(get("/plain")).body, b"plain")
    same(upstream.connections, 2, "connections")


@scene("an upstream that resets a tunnel resets the client")
def tunnel_reset(stage):
    def act(wire, number):
        wire.head()
        wire.send(SWITCHING + "x")
        same(wire.exactly(1), b"y")
        wire.reset()

    client, _, _ = stage.plain(act)
    client.ask(get("/", *HANDSHAKE))
    client.exactly(1)
    client.send("y")
    same(client.over(), ("reset", b""))


@scene("an upstream that declines an upgrade: the answer, and the connection goes on with HTTP")
def upgrade_declined(stage):
    client, upstream, _ = stage.plain()
    client.send(get("/ws", *HANDSHAKE) + get("/next"))
    same(client.response().body, b"/ws")
    same(client.response().body, b"/next")


@scene("an upgrade is not offered where its request has a body")
def upgrade_with_body(stage):
    client, upstream, _ = stage.plain(serving(lambda request: ok(request.body)))
    same(client.ask(post("abc", "/", *HANDSHAKE)).body, b"abc")


@scene("CONNECT is refused with 405, and nothing is dialled")
def connect_refused(stage):
    client, upstream, proxy = stage.plain()
    answer = client.ask("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "GET")
    same(answer.status, 405)
    yes("GET" in answer.get("allow"), "405 has Allow")
    client.ends()
    same(upstream.connections, 0, "connections")
    proxy.wait_log("client method-not-allowed.*405")


main()
