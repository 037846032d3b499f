"""Connections to upstreams: who gets which, when one is stale, and the lesson's pool."""

from play import PLAIN, End, Gate, body_of, digest, get, main, ok, post, same, scene, serving, until, yes

LESSON = """
local router = algo.URLRouter {
  ["/*"]    = "127.0.0.1:$first",
  ["/hi/*"] = "127.0.0.1:$second",
}

local lastID = 0
local connections = algo.ResourcePool(function(target)
  lastID = lastID + 1
  return lastID
end)

listen($proxy)
  :handleSessionStart(function(ctx)
    ctx.targets = algo.Cache(
      function(target)     return connections:allocate(target) end,
      function(target, id) connections:free(id) end)
  end)
  :handleSessionEnd(function(ctx)
    ctx.targets:clear()
  end)
  :demuxHTTP("routing")

pipeline("routing")
  :handleMessageStart(function(req, ctx)
    ctx.target = router:find(req.headers.host, req.path)
  end)
  :route(function(ctx) return ctx.target and "forward" or "404" end)

pipeline("forward")
  :muxHTTP("connection", function(ctx) return ctx.targets:get(ctx.target) end)

pipeline("connection")
  :connect(function(ctx) return ctx.target end)

pipeline("404")
  :replaceMessage(Message { status = 404, body = "No route" })
"""


def lesson(stage):
    first = stage.upstream(serving(lambda request: ok("first " + request.path)))
    second = stage.upstream(serving(lambda request: ok("second " + request.path)))
    return stage.proxy(LESSON, first=first.port, second=second.port), first, second


@scene("the lesson: both routes and the 404 over one client connection")
def lesson_routes(stage):
    proxy, first, second = lesson(stage)
    client = stage.client(proxy)
    same(client.ask(get("/x?y=/hi/")).body, b"first /x?y=/hi/")
    same(client.ask(get("/hi")).body, b"second /hi")
    same(client.ask(get("/hi/there")).body, b"second /hi/there")
    same(client.ask(get("/high")).body, b"first /high")
    answer = client.ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    same((answer.status, answer.body), (404, b"No route"))
    same(client.ask(get("/again")).body, b"first /again")
    same((first.connections, second.connections), (1, 1))


@scene("the lesson: one session has one connection to each upstream; the next session gets the same ones back, last in first out")
def lesson_reuse(stage):
    proxy, first, second = lesson(stage)
    for count in range(5):
        client = stage.client(proxy)
        same((client.ask(get("/a")).status, client.ask(get("/hi")).status), (200, 200))
        client.shut()
        client.ends()
    same((first.connections, second.connections), (1, 1))
    clients = [stage.client(proxy) for _ in range(3)]
    same([client.ask(get("/b")).status for client in clients], [200] * 3)
    same(first.connections, 3, "three sessions at once")
    for client in clients:
        client.shut()
        client.ends()
    clients = [stage.client(proxy) for _ in range(3)]
    same([client.ask(get("/c")).status for client in clients], [200] * 3)
    same(first.connections, 3, "their connections serve the next three")


@scene("the lesson: 100 pipelined requests over both routes, in order")
def lesson_pipelined(stage):
    proxy, first, second = lesson(stage)
    client = stage.client(proxy)
    paths = [f"/hi/{number}" if number % 3 else f"/{number}" for number in range(100)]
    client.send("".join(get(path) for path in paths))
    same([client.response().body.decode() for _ in paths],
         [("second " if path.startswith("/hi") else "first ") + path for path in paths])
    same((first.connections, second.connections), (1, 1))


@scene("the lesson: 16 MiB up and down through routing and pool")
def lesson_bulk(stage):
    body = body_of(16 << 20)
    first = stage.upstream(serving(lambda request: ok(request.body)))
    proxy = stage.proxy(LESSON, first=first.port, second=first.port)
    client = stage.client(proxy)
    stage.in_thread(lambda: client.send(post(body)))
    same(digest(client.response().body), digest(body))


def stale(stage, request, respond=True):
    """
    The upstream answers once, and ends the connection just as the next request is on its way: it waits for the
    bytes of that request, and then closes without an answer. Gives the second answer and the upstream.
    """
    def act(wire, number):
        wire.request()
        wire.send(ok(f"connection {number}"))
        if number > 1:
            return wire.over()
        wire.some()
        wire.upstream.requests.append(wire.request())
        wire.close()

    client, upstream, proxy = stage.plain(act)
    same(client.ask(get("/warm")).body, b"connection 1")
    return client.ask(request), upstream


@scene("a pooled connection that closes as a GET is written: sent again, once, on a fresh one; the client sees nothing")
def stale_get(stage):
    answer, upstream = stale(stage, get("/again", "X-A: b"))
    same((answer.status, answer.body), (200, b"connection 2"))
    same([request.path for request in upstream.requests if request.path == "/again"], ["/again"] * 3)
    same(upstream.connections, 2)


@scene("a pooled connection that closes as a POST is written: 502, and the POST was sent once")
def stale_post(stage):
    answer, upstream = stale(stage, post("pay", "/pay"))
    same(answer.status, 502)
    same(upstream.connections, 1, "connections")
    yes(all(request.path != "/pay" for request in upstream.requests[3:]), "sent twice")


@scene("an idempotent PUT with its body is sent again whole")
def stale_put(stage):
    answer, upstream = stale(stage, post("state", "/put").replace(b"POST", b"PUT"))
    same((answer.status, answer.body), (200, b"connection 2"))
    same({request.body for request in upstream.requests if request.path == "/put"}, {b"state"})


@scene("the retry is one: a fresh connection that closes too is a 502")
def stale_once(stage):
    def act(wire, number):
        wire.request()
        if number == 1:
            wire.send(ok("warm"))
            wire.request()

    client, upstream, _ = stage.plain(act)
    client.ask(get("/warm"))
    same(client.ask(get("/again")).status, 502)
    same([request.path for request in upstream.requests], ["/warm", "/again", "/again"])


@scene("a fresh connection that closes without an answer is a 502: the request is not sent twice")
def fresh_close(stage):
    def act(wire, number):
        wire.request()

    client, upstream, _ = stage.plain(act)
    same(client.ask(get("/once")).status, 502)
    same(len(upstream.requests), 1, "requests")


@scene("a connection that the upstream closed while idle is not used: the next request, a POST too, gets a fresh one")
def closed_idle(stage):
    closed = Gate("the close")

    def act(wire, number):
        wire.request()
        wire.send(ok(str(number)))
        if number == 1:
            wire.close()
            closed.open()
        else:
            wire.over()

    upstream = stage.upstream(act)
    proxy = stage.proxy(PLAIN, upstream=upstream.port)
    alone = proxy.descriptors()
    client = stage.client(proxy)
    same(client.ask(get("/1")).body, b"1")
    closed.wait()
    # Seen from outside, the proxy knows of the close when only the client's descriptor is left.
    until(lambda: proxy.descriptors() == alone + 1, "the proxy to let go of the connection")
    same(client.ask(post("x", "/2")).body, b"2")
    same(upstream.connections, 2)


@scene("an upstream that says 408 and closes on an idle connection: nobody gets that answer")
def unsolicited(stage):
    said = Gate("the 408")

    def act(wire, number):
        wire.request()
        wire.send(ok(str(number)))
        if number == 1:
            wire.silent(0.1)
            wire.send(ok("too slow", "Connection: close", status="408 Request Timeout"))
            wire.close()
            said.open()
        else:
            wire.over()

    client, upstream, proxy = stage.plain(act)
    same(client.ask(get("/1")).body, b"1")
    said.wait()
    answer = client.ask(get("/2"))
    same((answer.status, answer.body), (200, b"2"))


@scene("an answer that has begun is never asked for again")
def no_retry_after_head(stage):
    def act(wire, number):
        wire.request()
        if number == 1 and not wire.upstream.requests[1:]:
            wire.send(ok("warm"))
            wire.request()
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    client, upstream, _ = stage.plain(act)
    client.ask(get("/warm"))
    client.send(get("/cut"))
    same(client.head().status, 200)
    same(client.over()[1], b"half")
    same(upstream.connections, 1)


@scene("an early answer while the body is still coming reaches the client; the connections are not used again")
def early_answer(stage):
    def act(wire, number):
        wire.head()
        wire.exactly(10)
        wire.send(ok("too much", status="413 Content Too Large"))
        wire.over()

    client, upstream, proxy = stage.plain(act)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n0123456789")
    answer = client.response()
    same((answer.status, answer.body), (413, b"too much"))
    client.try_send(bytes(200_000))
    client.over()
    other = stage.client(proxy)
    other.send("POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789")
    same(other.response().status, 413)
    same(upstream.connections, 2, "connections")


@scene("an early answer and a close (as nginx does) while the client is still sending: the answer arrives")
def early_answer_close(stage):
    def act(wire, number):
        wire.head()
        wire.send(ok("no", "Connection: close", status="413 Content Too Large"))
        wire.shut()
        wire.over()

    client, upstream, proxy = stage.plain(act)
    stage.in_thread(lambda: client.try_send(post(bytes(3_000_000))))
    same(client.response().status, 413)


@scene("without a key a connection is taken last in, first out, and all are kept")
def lifo(stage):
    gates = {f"/{number}": Gate(f"/{number}") for number in range(3)}

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.path in gates:
                gates[request.path].wait()
            wire.send(ok(str(number)))

    upstream = stage.upstream(act)
    proxy = stage.proxy(PLAIN, upstream=upstream.port)
    clients = [stage.client(proxy) for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(get(f"/{number}"))
        until(lambda: len(upstream.requests) == number + 1, "the request")
    same(upstream.connections, 3)
    for number in [2, 0, 1]:
        gates[f"/{number}"].open()
        same(clients[number].response().body.decode(), str(number + 1))
    same([clients[0].ask(get("/x")).body for _ in range(3)], [b"2"] * 3)
    same(upstream.connections, 3)


@scene("maxMessages closes a connection after so many; idleTimeout closes it when nobody needs it")
def pool_limits(stage):
    ended = []

    def act(wire, number):
        serving(lambda request: ok(str(number)))(wire, number)
        ended.append(number)

    upstream = stage.upstream(act)
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream"), nil, { maxMessages = 2, idleTimeout = "200ms" }))
""", upstream=upstream.port)
    client = stage.client(proxy)
    same([client.ask(get()).body for _ in range(5)], [b"1", b"1", b"2", b"2", b"3"])
    until(lambda: len(ended) == 3, "the idle connection to be closed", 5)
    same(client.ask(get()).body, b"4")


@scene("a key function that gives nil: a connection for this message alone; nil, err: a 503 with that code")
def key_results(stage):
    upstream = stage.upstream(serving())
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect(function(ctx) return "127.0.0.1:$upstream" end), function(ctx)
    if ctx.request.path == "/full" then return nil, { code = "queue-full" } end
    return nil
  end))
""", upstream=upstream.port)
    client = stage.client(proxy)
    same([client.ask(get(f"/{number}")).body for number in range(3)], [b"/0", b"/1", b"/2"])
    same(upstream.connections, 3, "connections")
    same(client.ask(get("/full")).status, 503)
    same(client.ask(get("/more")).body, b"/more")


@scene("without a key a target function is refused at load, with the reason")
def key_missing(stage):
    import subprocess
    import play

    with open(stage.path("bad.lua"), "w") as file:
        file.write('listen(0):demuxHTTP(pipeline():muxHTTP(pipeline():connect(function(ctx) return ctx.x end)))\n')
    done = subprocess.run([play.BINARY, "check", stage.path("bad.lua")], capture_output=True, text=True)
    same(done.returncode, 1)
    yes("bad.lua:1" in done.stderr and "key" in done.stderr, done.stderr)


@scene("a request that its client gives up is ended at the upstream, and the pool goes on")
def client_gone(stage):
    ended = []

    def act(wire, number):
        request = wire.request()
        if request.path == "/slow":
            ended.append(wire.over())
        else:
            wire.send(ok("next"))
            wire.over()

    client, upstream, proxy = stage.plain(act)
    client.send(get("/slow"))
    until(lambda: upstream.requests, "the request")
    client.reset()
    until(lambda: ended, "the upstream to be let go")
    same(stage.client(proxy).ask(get()).body, b"next")


@scene("ResourcePool with a maximum: waiters in order, queue-full and queue-timeout")
def resource_pool(stage):
    gate = Gate("release")
    upstream = stage.upstream(serving(lambda request: (gate.wait(), ok("free"))[1]))
    proxy = stage.proxy("""
local pool = algo.ResourcePool(function(key) return {} end, { max = 1, queue = 1, queueTimeout = "300ms" })
listen($proxy):serveHTTP(function(req, ctx)
  local resource, err = pool:allocate("k")
  if not resource then return Message { status = 503, body = err.code } end
  if req.path == "/hold" then http.get("http://127.0.0.1:$upstream/") end
  pool:free(resource)
  return Message(req.path)
end)
""", upstream=upstream.port)
    holder, waiter, third = [stage.client(proxy) for _ in range(3)]
    holder.send(get("/hold"))
    until(lambda: upstream.requests, "the holder")
    waiter.send(get("/waiter"))
    waiter.silent(0.05)
    same(third.ask(get("/third")).body, b"queue-full")
    same(waiter.response().body, b"queue-timeout")
    waiter.send(get("/waiter"))
    waiter.silent(0.05)
    gate.open()
    same((holder.response().body, waiter.response().body), (b"/hold", b"/waiter"))


@scene("a session's cache is released when the client vanishes, also when the script forgot to clear it")
def cache_release(stage):
    proxy = stage.proxy("""
listen($proxy)
  :handleSessionStart(function(ctx)
    ctx.cache = algo.Cache(function(key) return "value of " .. key end, function(key, value) log.info("released " .. key) end)
  end)
  :demuxHTTP(pipeline():replaceMessage(function(req, ctx) return Message(ctx.cache:get(req.path)) end))
""")
    client = stage.client(proxy)
    same([client.ask(get(path)).body for path in ["/a", "/b", "/a"]], [b"value of /a", b"value of /b", b"value of /a"])
    client.reset()
    proxy.wait_log("released", 2)
    same(sorted(line.split()[-1] for line in proxy.log.matching("released")), ["/a", "/b"])


PIPELINING = """
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"), "shared", { pipelining = 64 }))
"""


@scene("pipelining on one connection: requests of many clients are on the wire at once and answered right")
def upstream_pipelining(stage):
    gate = Gate("all requests")

    def act(wire, number):
        paths = [wire.request().path for _ in range(1)]
        gate.wait()
        wire.send(ok(paths[0]))
        serving()(wire, number)

    upstream = stage.upstream(act)
    proxy = stage.proxy(PIPELINING, upstream=upstream.port)
    clients = [stage.client(proxy) for _ in range(30)]
    for number, client in enumerate(clients):
        client.send(get(f"/{number}"))
    until(lambda: upstream.requests, "the first request")
    gate.open()
    same([client.response().body.decode() for client in clients], [f"/{number}" for number in range(30)])
    for turn in range(20):
        for number, client in enumerate(clients):
            client.send(get(f"/{turn}/{number}"))
        same([client.response().body.decode() for client in clients], [f"/{turn}/{number}" for number in range(30)])
    same(upstream.connections, 1, "connections")


@scene("pipelining: a POST is alone on the wire")
def pipelining_post(stage):
    gate = Gate("the POST's answer")

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.method == "POST":
                gate.wait()
                same(len(wire.buffer), 0, "bytes behind a POST")
                wire.sock.setblocking(False)
                try:
                    yes(not wire.sock.recv(1), "a request behind a POST that is not answered")
                except BlockingIOError:
                    pass
                wire.sock.settimeout(15)
            wire.send(ok(request.path))

    upstream = stage.upstream(act)
    proxy = stage.proxy(PIPELINING, upstream=upstream.port)
    poster, other = stage.client(proxy), stage.client(proxy)
    same(other.ask(get("/warm")).body, b"/warm")
    poster.send(post("x", "/post"))
    until(lambda: len(upstream.requests) == 2, "the POST")
    other.send(get("/get"))
    other.silent(0.1)
    gate.open()
    same((poster.response().body, other.response().body), (b"/post", b"/get"))
    same(upstream.connections, 1)


@scene("pipelining: the connection ends with requests on it; each is answered, sent again once where that is harmless")
def pipelining_cut(stage):
    def act(wire, number):
        if number == 1:
            wire.request()
            wire.send(ok("warm"))
            for _ in range(3):
                wire.request()
            wire.send(ok("first", "Connection: close"))
            return
        serving()(wire, number)

    upstream = stage.upstream(act)
    proxy = stage.proxy(PIPELINING, upstream=upstream.port)
    client = stage.client(proxy)
    same(client.ask(get("/warm")).body, b"warm")
    client.send(get("/1") + get("/2") + get("/3"))
    same([client.response().body for _ in range(3)], [b"first", b"/2", b"/3"])
    same(sorted(request.path for request in upstream.requests), ["/1", "/2", "/2", "/3", "/3", "/warm"])


@scene("pipelining: one slow reader does not stall the others")
def pipelining_slow_reader(stage):
    size = 16 << 20
    upstream = stage.upstream(serving(lambda request: ok(bytes(size) if request.path == "/big" else request.path)))
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"), "shared", { pipelining = 64, maxSessions = 2 }))
""", upstream=upstream.port)
    slow = stage.client(proxy, receive_buffer=4096)
    slow.send(get("/big"))
    same(slow.head().status, 200)
    others = [stage.client(proxy) for _ in range(3)]
    for number, other in enumerate(others):
        same(other.ask(get(f"/{number}")).body.decode(), f"/{number}")
    same(len(slow.exactly(size)), size)


main()
