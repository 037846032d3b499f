"""What scripts do with messages and sessions."""

from play import End, Gate, get, main, ok, post, same, scene, serving, until, yes

AROUND = """
listen($proxy):demuxHTTP(pipeline()
%s
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"))
%s
)
"""


def around(stage, before="", behind="", act=None):
    """(client, upstream, proxy) with filters before and behind the joint."""
    upstream = stage.upstream(act)
    proxy = stage.proxy(AROUND % (before, behind), upstream=upstream.port)
    return stage.client(proxy), upstream, proxy


def logged(proxy, word, count):
    """What follows the word in so many lines of log, in order."""
    lines = proxy.wait_log(rf"\b{word} ", count)
    return [line.partition(f"{word} ")[2] for line in lines]


@scene("handleMessageStart changes the head; the body streams on untouched")
def change_head(stage):
    client, upstream, _ = around(stage, """
  :handleMessageStart(function(req)
    req.path = "/new" .. req.path
    req.method = "PUT"
    req.headers["x-gone"] = nil
    req.headers["x-set"] = "1"
    req.headers:add("X-Add", "2")
  end)""", """
  :handleMessageStart(function(res) res.status = 201; res.headers.server = "me" end)""", serving(lambda request: ok(request.body, "Server: them")))
    answer = client.ask(post("abc", "/p", "X-Gone: 1", "x-gone: 2", "X-Set: 0"))
    request = upstream.requests[0]
    same(request.start, "PUT /new/p HTTP/1.1")
    same((request.all("x-gone"), request.all("x-set"), request.get("x-add"), request.body), ([], ["1"], "2", b"abc"))
    same((answer.status, answer.get("server"), answer.body), (201, "me", b"abc"))


@scene("a HEAD that a script turns into a GET has an answer without a body, and the connection stays in step")
def head_becomes_get(stage):
    client, upstream, _ = around(stage, ':handleMessageStart(function(req) req.method = "GET" end)')
    answer = client.ask("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n", method="HEAD")
    same((answer.status, answer.get("content-length"), upstream.requests[0].method), (200, "2", "GET"))
    same(client.ask(get("/next")).body, b"/next")


@scene("an early answer: nothing is sent on, the rest of the body is dropped, the connection goes on")
def early(stage):
    client, upstream, _ = around(stage, """
  :handleMessageStart(function(req) if req.path == "/no" then return Message { status = 403, body = "no" } end end)""", """
  :handleMessageStart(function(res) res.headers["x-seen"] = "behind" end)""")
    answer = client.ask(post(bytes(5000), "/no"))
    same((answer.status, answer.body, answer.get("x-seen")), (403, b"no", "behind"))
    same(client.ask(get("/yes")).body, b"/yes")
    same([request.path for request in upstream.requests], ["/yes"])


@scene("an early answer to a body without end: the client can read it, then the connection closes")
def early_endless(stage):
    client, upstream, _ = around(stage, ":handleMessageStart(function(req) return Message { status = 403 } end)")
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\nabc")
    answer = client.response()
    same((answer.status, answer.has_token("connection", "close")), (403, True))
    sent = 0
    while client.try_send(bytes(65536)):
        sent += 65536
        yes(sent < 100 << 20, "the proxy reads a body that nobody wants")
    same(upstream.requests, [])


@scene("handleMessage sees the whole body and may replace it; lengths follow")
def modify_body(stage):
    client, upstream, _ = around(stage, """
  :handleMessage(function(req) req.body = req.body:upper() .. "!" end)""", """
  :handleMessage(function(res) res.body = "<" .. res.body .. ">" end)""",
        serving(lambda request: b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    answer = client.ask(post("hello"))
    same((upstream.requests[0].body, upstream.requests[0].get("content-length")), (b"HELLO!", "6"))
    same((answer.body, answer.get("content-length"), answer.all("etag")), (b"<abc>", "5", []))


KEPT = """
local kept = Message { status = 200, headers = { ["x-a"] = "1" }, body = "kept", trailers = { ["x-t"] = "1" } }
local request = Message { method = "POST", path = "/kept", headers = { ["x-a"] = "1", host = "h" }, body = "sent" }
local function harm(res)
  res.status = 201
  res.headers["x-a"] = nil
  res.headers:add("x-b", "2")
  if res.trailers then res.trailers["x-t"] = "harmed" end
end
local function harm_body(res) harm(res); res.body = (res.body or "") .. "!" end
listen($early):demuxHTTP(pipeline():handleMessageStart(function() return kept end)
  :replaceMessage(Message "x"):handleMessageStart(harm))
listen($collected):demuxHTTP(pipeline():handleMessage(function() return kept end)
  :replaceMessage(Message "x"):handleMessage(harm_body))
listen($replaced):demuxHTTP(pipeline():replaceMessage(function() return kept end):handleMessage(harm_body))
listen($served):serveHTTP(function() return kept end)
listen($behind):demuxHTTP(pipeline():replaceMessage(Message "x"):handleMessage(function() return kept end)
  :handleMessage(harm_body))
listen($head):demuxHTTP(pipeline():replaceMessage(Message "x"):replaceMessageStart(function() return kept end)
  :handleMessage(harm_body))
listen($request):demuxHTTP(pipeline():replaceMessage(function() return request end)
  :handleMessageStart(function(req) req.path = req.path .. "!"; req.method = "PUT"; req.headers["x-a"] = "harmed" end)
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
listen($look):serveHTTP(function(req)
  return Message(kept.status .. kept.headers["x-a"] .. tostring(kept.headers["x-b"]) .. kept.body .. kept.trailers["x-t"]
    .. request.path .. request.method .. request.headers["x-a"] .. request.body)
end)
"""


@scene("a Message that a script keeps and gives again and again is the same each time")
def kept_message(stage):
    upstream = stage.upstream(serving(lambda request: ok(f"{request.method} {request.path} {request.get('x-a')}".encode())))
    proxy = stage.proxy(KEPT, upstream=upstream.port)
    body = {"early": b"kept", "collected": b"kept!", "replaced": b"kept!", "served": b"kept", "behind": b"kept!",
            "head": b"kept!"}
    for name, wanted in body.items():
        client, other = stage.client(proxy.port[name]), stage.client(proxy.port[name])
        for _ in range(3):
            client.ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", method="HEAD")
            client.send(get("/") * 3)
            answers = [client.response() for _ in range(3)] + [other.ask(get("/"))]
            harmed = (200, ["1"], []) if name == "served" else (201, [], ["2"])
            for answer in answers:
                same((answer.status, answer.all("x-a"), answer.all("x-b"), answer.body), (*harmed, wanted), name)
    client = stage.client(proxy.port["request"])
    for _ in range(3):
        same(client.ask(get("/")).body, b"PUT /kept! harmed")
        same(upstream.requests[-1].body, b"sent")
    same(stage.client(proxy.port["look"]).ask(get("/")).body, b"2001nilkept1/keptPOST1sent")


CHANGED = """
local kept = Message { headers = { ["x-n"] = "0" }, body = "0" }
local n = 0
local function change()
  n = n + 1
  kept.headers["x-n"] = tostring(n)
  kept.body = tostring(n)
  kept.status = 200 + n % 2
end
listen($behind):demuxHTTP(pipeline():replaceMessage(function() return kept end):handleMessageStart(change))
listen($before):serveHTTP(function() change() return kept end)
"""


@scene("a kept Message that changes while answers made of it are under way changes the next ones only")
def changed_message(stage):
    proxy = stage.proxy(CHANGED)
    number = 0
    for name, first in (("behind", 0), ("before", 1)):
        client = stage.client(proxy.port[name])
        for _ in range(3):
            client.send(get("/") * 4)
            for _ in range(4):
                answer, wanted = client.response(), number + first
                same((answer.status, answer.get("x-n"), answer.body), (200 + wanted % 2, str(wanted), str(wanted).encode()), name)
                number += 1


@scene("a handler that returns the response it was given lets it pass, body and all")
def returns_its_own(stage):
    client, upstream, _ = around(stage, """
  :handleMessageStart(function(req) req.path = "/new" end)""", """
  :handleMessageStart(function(res) res.headers["x-seen"] = "1"; return res end)
  :handleMessage(function(res) res.headers["x-whole"] = res.body; return res end)""", serving(lambda request: ok(request.body)))
    for _ in range(2):
        answer = client.ask(post("hello", "/old"))
        same((answer.status, answer.body, answer.get("x-seen"), answer.get("x-whole")), (200, b"hello", "1", "hello"))
    same([request.path for request in upstream.requests], ["/new", "/new"])


@scene("handleMessageBody, handleMessageEnd and bodySize")
def body_moments(stage):
    client, upstream, proxy = around(stage, """
  :handleMessageBody(function(body) log.info("body " .. #body) end)
  :handleMessageEnd(function(msg) log.info("end " .. msg.bodySize) end)""", """
  :handleMessageEnd(function(msg) log.info("end " .. msg.bodySize) end)""", serving(lambda request: ok(bytes(70_000))))
    body = bytes(100_000)
    stage.in_thread(lambda: client.send(post(body)))
    same(len(client.response().body), 70_000)
    same(logged(proxy, "body", 1), ["100000"])
    same(logged(proxy, "end", 2), ["100000", "70000"])


@scene("replaceMessage answers from the request")
def replace_message(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():replaceMessage(function(req)
  return Message { status = 202, headers = { ["x-path"] = req.path, ["set-cookie"] = { "a=1", "b=2" } }, body = req.body }
end))
""")
    client = stage.client(proxy)
    answer = client.ask(post("sent", "/p?q=1"))
    same((answer.status, answer.get("x-path"), answer.all("set-cookie"), answer.body), (202, "/p?q=1", ["a=1", "b=2"], b"sent"))
    same(client.ask(get("/2")).get("x-path"), "/2")


@scene("replaceMessage behind the joint replaces the answer, its body is collected")
def replace_response(stage):
    client, _, _ = around(stage, "", """
  :replaceMessage(function(res) return Message { status = 200, body = "was " .. res.status .. " " .. res.body } end)""",
        serving(lambda request: ok("body", status="404 Not Found")))
    same(client.ask(get()).body, b"was 404 body")


@scene("replaceMessageBody and replaceData")
def replace_bytes(stage):
    client, upstream, _ = around(stage, """
  :replaceMessageBody(function(body) return tostring(body):reverse() end)""", """
  :replaceData(function(data) return tostring(data):upper() end)""", serving(lambda request: ok(b"answer " + request.body)))
    same(client.ask(post("abc")).body, b"ANSWER CBA")
    same(upstream.requests[0].body, b"cba")


@scene("replaceData that changes the length frames the body anew")
def replace_data_length(stage):
    client, _, _ = around(stage, "", """
  :replaceData(function(data) return "[" .. tostring(data) .. "]" end)""", serving(lambda request: ok("x")))
    answer = client.ask(get("/1"))
    same(answer.body, b"[x]")
    same(client.ask(get("/2")).body, b"[x]")


@scene("handleData sees the pieces of a body, all of it")
def handle_data(stage):
    client, _, proxy = around(stage, ":handleData(function(data) log.info('piece ' .. #data) end)")
    stage.in_thread(lambda: client.send(post(bytes(200_000))))
    client.response()
    until(lambda: sum(int(size) for size in logged(proxy, "piece", 1)) == 200_000, "pieces of 200,000 bytes in all")


@scene("dump logs what goes by, print writes the bytes to stdout")
def eyes(stage):
    upstream = stage.upstream(serving(lambda request: ok(request.path + "\n")))
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline():dump("before"):muxHTTP(pipeline():connect("127.0.0.1:$upstream")):dump("behind"):print())
""", upstream=upstream.port)
    same(stage.client(proxy).ask(get("/dumped")).body, b"/dumped\n")
    proxy.wait_log("dump before request GET /dumped")
    proxy.wait_log("dump behind response 200")
    until(lambda: "/dumped" in proxy.out.text() or proxy.process.poll() is not None, "the body on stdout")


@scene("route: by name, by object, nil is a 404, an unknown name a 500 that says so")
def routes(stage):
    proxy = stage.proxy("""
local anonymous = pipeline():replaceMessage(Message "anonymous")
listen($proxy):demuxHTTP(pipeline():route(function(ctx)
  local path = ctx.request.path
  if path == "/object" then return anonymous end
  if path == "/nil" then return nil end
  return path:sub(2)
end))
pipeline("named"):replaceMessage(Message "named")
""")
    client = stage.client(proxy)
    same([client.ask(get(path)).body for path in ["/named", "/object"]], [b"named", b"anonymous"])
    same((client.ask(get("/nil")).status, client.ask(get("/nobody")).status), (404, 500))
    proxy.wait_log("nobody")
    same(client.ask(get("/named")).body, b"named")


@scene("route comes after the handlers before it, also those that collect and wait")
def route_after_handlers(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :handleMessage(function(req, ctx) sleep(0.02); ctx.where = req.body end)
  :route(function(ctx) sleep(0.02); return ctx.where end))
pipeline("left"):replaceMessage(Message "went left")
pipeline("right"):replaceMessage(Message "went right")
""")
    client = stage.client(proxy)
    same([client.ask(post(where)).body for where in ["left", "right", "left"]], [b"went left", b"went right", b"went left"])


@scene("moments come in order, and End handlers exactly once each, for every way a session ends")
def moments(stage):
    proxy = stage.proxy("""
listen($proxy)
  :handleSessionStart(function(ctx) ctx.id = ctx.client.id; log.info("moment session start") end)
  :handleSessionEnd(function(ctx, err) log.info("moment session end " .. (err and err.code or "well")) end)
  :demuxHTTP(pipeline()
    :handleMessageStart(function(req) log.info("moment request " .. req.path) end)
    :handleMessageEnd(function() log.info("moment request end") end)
    :muxHTTP(pipeline():connect("127.0.0.1:$upstream"))
    :handleMessageStart(function(res) log.info("moment response " .. res.status) end)
    :handleMessageEnd(function() log.info("moment response end") end)
    :handleExchangeEnd(function(ctx, err)
      log.info("moment exchange end " .. ctx.request.path .. " " .. (err and err.code or tostring(ctx.response.status)))
    end))
""", upstream=stage.upstream(serving(lambda request: None if request.path == "/cut" else ok("x"))).port)
    client = stage.client(proxy)
    client.ask(get("/1"))
    client.ask(get("/2"))
    client.close()
    proxy.wait_log("moment session end", 1)
    one = ["moment request {}", "moment request end", "moment response 200", "moment response end", "moment exchange end {} 200"]
    wanted = ["moment session start"] + [text.format(path) for path in ["/1", "/2"] for text in one] + ["moment session end well"]
    same([line[line.index("moment"):] for line in proxy.log.matching("moment")], wanted)


@scene("handleExchangeEnd comes once: after an answer, an early one, an error, a client that leaves, a request in waiting")
def exchange_ends(stage):
    arrived = []

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            arrived.append(request.path)
            if request.path == "/slow":
                return wire.over()
            if request.path == "/dead":
                return
            wire.send(ok("x"))

    upstream = stage.upstream(act)
    proxy = stage.proxy("""
listen($proxy):handleSessionEnd(function() log.info("session over") end):demuxHTTP(pipeline()
  :handleExchangeEnd(function(ctx, err) log.info("ended " .. ctx.request.path .. " " .. (err and err.code or "well")) end)
  :handleMessageStart(function(req)
    if req.path == "/early" then return Message "early" end
    if req.path == "/raise" then error("raised") end
    if req.path == "/sleep" then log.info("sleeping now"); sleep(30) end
  end)
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    client = stage.client(proxy)
    same([client.ask(get(path)).status for path in ["/well", "/early", "/raise", "/dead"]], [200, 200, 500, 502])
    client.close()
    leaver = stage.client(proxy)
    leaver.send(get("/slow"))
    until(lambda: "/slow" in arrived, "the slow request")
    leaver.reset()
    sleeper = stage.client(proxy)
    sleeper.send(get("/sleep"))
    proxy.wait_log("sleeping now")
    sleeper.reset()
    proxy.wait_log("session over", 3)
    ends = [line.split("ended ")[1].split()[0] for line in proxy.log.matching("ended /")]
    same(sorted(ends), sorted(["/well", "/early", "/raise", "/dead", "/slow", "/sleep"]))
    same(proxy.log.matching("cancelled"), [], "a cancelled wait is not worth a line")


@scene("in handleExchangeEnd the messages can be read, and not be changed any more")
def exchange_end_is_late(stage):
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :handleExchangeEnd(function(ctx)
    log.info("was " .. ctx.request.path .. " " .. ctx.response.status)
    for _, change in ipairs {
      function() ctx.response.status = 500 end,
      function() ctx.response.headers["x-late"] = "yes" end,
      function() ctx.request.headers["x-late"] = "yes" end,
      function() ctx.request.path = "/late" end,
    } do
      local ok, why = pcall(change)
      log.info("late " .. tostring(ok) .. " " .. why:match("read%-only"))
    end
    log.info("is " .. ctx.request.path .. " " .. ctx.response.status)
  end)
  :replaceMessage(Message { status = 201 }))
""")
    same(stage.client(proxy).ask(get("/a")).status, 201)
    proxy.wait_log("is /a 201")
    same(len(proxy.log.matching("was /a 201")), 1)
    same(len(proxy.log.matching("late false read-only")), 4)


@scene("handleSessionStart that returns false closes the connection; nothing was read")
def session_refused(stage):
    proxy = stage.proxy("""
listen($proxy):handleSessionStart(function(ctx) return ctx.client.ip ~= "127.0.0.9" end):serveHTTP(Message "in")
""")
    same(stage.client(proxy).ask(get()).body, b"in")
    refused = stage.client(proxy, source="127.0.0.9")
    how, came = refused.over()
    same(came, b"")


@scene("ctx is one per session, and a request's writes stay with the request")
def contexts(stage):
    proxy = stage.proxy("""
listen($proxy)
  :handleSessionStart(function(ctx) ctx.count = 0; ctx.name = "session" end)
  :demuxHTTP(pipeline():replaceMessage(function(req, ctx)
    ctx.session.count = ctx.session.count + 1
    local before = ctx.name
    ctx.name = "request"
    return Message(ctx.session.count .. " " .. before .. " " .. ctx.session.name)
  end))
""")
    first, second = stage.client(proxy), stage.client(proxy)
    same([first.ask(get()).body for _ in range(2)], [b"1 session session", b"2 session session"])
    same(second.ask(get()).body, b"1 session session")


@scene("what ctx tells of client, request, response and upstream")
def reserved(stage):
    upstream = stage.upstream()
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :handleMessageStart(function(req) req.path = "/changed" end)
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"))
  :handleMessageStart(function(res, ctx)
    res.headers["x-told"] = table.concat({ ctx.client.ip, ctx.client.localPort, ctx.request.originalPath, ctx.request.path,
      ctx.upstream.endpoint, ctx.upstream.attempts, tostring(ctx.upstream.reused), tostring(ctx.elapsed >= 0) }, " ")
  end))
""", upstream=upstream.port)
    client = stage.client(proxy)
    told = f"127.0.0.1 {proxy.port['proxy']} /path /changed 127.0.0.1:{upstream.port} 1 "
    same([client.ask(get("/path")).get("x-told") for _ in range(2)], [told + "false true", told + "true true"])


@scene("waiting: a sleeping request holds up its own pipeline and nobody else")
def sleeping(stage):
    proxy = stage.proxy("""
listen($proxy):serveHTTP(function(req)
  if req.path == "/sleep" then sleep(0.4) end
  return Message(req.path)
end)
""")
    sleeper, other = stage.client(proxy), stage.client(proxy)
    sleeper.send(get("/sleep") + get("/behind"))
    for number in range(20):
        same(other.ask(get(f"/{number}")).body.decode(), f"/{number}")
    same(bytes(sleeper.buffer), b"")
    same([sleeper.response().body for _ in range(2)], [b"/sleep", b"/behind"])


@scene("requests of one connection run concurrently: three that sleep take the time of one")
def concurrent(stage):
    import time

    proxy = stage.proxy('listen($proxy):serveHTTP(function(req) sleep(0.5); return Message(req.path) end)')
    client = stage.client(proxy)
    began = time.monotonic()
    client.send(get("/1") + get("/2") + get("/3"))
    same([client.response().body for _ in range(3)], [b"/1", b"/2", b"/3"])
    yes(time.monotonic() - began < 1.4, "they ran one after the other")


@scene("a client that leaves ends the wait of its handler at once")
def cancelled(stage):
    proxy = stage.proxy("""
listen($proxy):handleSessionEnd(function() log.info("session over") end):serveHTTP(function(req)
  log.info("waits")
  local ok = pcall(sleep, 30)
  log.info("unwound " .. tostring(ok))
  sleep(30)
  return Message "never"
end)
""")
    for leave in ["reset", "close"]:
        client = stage.client(proxy)
        client.send(get())
        proxy.wait_log("waits", 1 if leave == "reset" else 2)
        getattr(client, leave)()
        if leave == "reset":
            proxy.wait_log("unwound false", 1)
            proxy.wait_log("session over", 1)


@scene("http.get and http.request from a handler: answers, errors, timeouts, bodies")
def http_client(stage):
    never = Gate("never")

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            if request.path == "/silent":
                return wire.over()
            wire.send(ok(f"{request.method} {request.path} {request.get('host')} {request.get('x-a')} ".encode() + request.body, "X-B: c"))

    upstream = stage.upstream(act)
    dead = stage.upstream()
    dead.close()
    proxy = stage.proxy("""
local base = "http://127.0.0.1:$upstream"
listen($proxy):serveHTTP(function(req)
  local res, err
  if req.path == "/get" then
    res, err = http.get(base .. "/a?b", { headers = { ["x-a"] = "1" } })
  elseif req.path == "/post" then
    res, err = http.request("POST", base .. "/p", { body = req.body })
  elseif req.path == "/silent" then
    res, err = http.get(base .. "/silent", { timeout = "100ms" })
  elseif req.path == "/limit" then
    res, err = http.request("POST", base .. "/p", { body = ("x"):rep(5000), bodyLimit = "1k" })
  else
    res, err = http.get("http://127.0.0.1:$dead/")
  end
  if not res then return Message { status = 500, body = err.code } end
  return Message(res.status .. " " .. res.headers["x-b"] .. " " .. res.body)
end)
""", upstream=upstream.port, dead=dead.port)
    client = stage.client(proxy)
    host = f"127.0.0.1:{upstream.port}"
    same(client.ask(get("/get")).body.decode(), f"200 c GET /a?b {host} 1 ")
    same(client.ask(get("/get")).body.decode(), f"200 c GET /a?b {host} 1 ")
    same(upstream.connections, 1, "connections of http.get")
    same(client.ask(post("body", "/post")).body.decode(), f"200 c POST /p {host} None body")
    yes(client.ask(get("/silent")).body in (b"request-timeout", b"read-timeout"), "the code of a timeout")
    same(client.ask(get("/dead")).body, b"connect-failure")
    same(client.ask(get("/limit")).body, b"response-too-large")


@scene("an authorisation by http.get before muxHTTP, as in the manual")
def authorise(stage):
    auth = stage.upstream(serving(lambda request: ok("", "X-User: ann") if request.get("authorization") == "yes" else ok("", status="401 No")))
    upstream = stage.upstream(serving(lambda request: ok(f"{request.all('x-user')}".encode() + request.body)))
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :handleMessageStart(function(req)
    req.headers["x-user"] = nil
    local res, err = http.get("http://127.0.0.1:$auth/check", { headers = { authorization = req.headers.authorization } })
    if not res then return Message { status = 503, body = err.code } end
    if res.status ~= 200 then return Message { status = 401 } end
    req.headers["x-user"] = res.headers["x-user"]
  end)
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", auth=auth.port, upstream=upstream.port)
    client = stage.client(proxy)
    same(client.ask(post("body", "/", "Authorization: yes", "X-User: root")).body, b"['ann']body")
    same(client.ask(post(bytes(10_000), "/", "X-User: root")).status, 401)
    same(client.ask(get("/", "Authorization: yes")).body, b"['ann']")


@scene("every and after run outside requests; runs do not overlap; a raising one goes on")
def timers(stage):
    proxy = stage.proxy("""
local runs = 0
every("50ms", function()
  runs = runs + 1
  log.info("run " .. runs .. " begins")
  sleep(0.12)
  log.info("run " .. runs .. " ends")
  if runs == 2 then error("raised in a run") end
end, { atStart = true })
after("100ms", function() log.info("after came") end)
listen($proxy):serveHTTP(function() return Message(tostring(runs)) end)
""")
    proxy.wait_log("run 4 begins")
    proxy.wait_log("after came")
    order = [line.split()[-1] for line in proxy.log.matching(r"run \d+ (begins|ends)")]
    same(order[:6], ["begins", "ends"] * 3)
    same(len(proxy.log.matching("after came")), 1)
    proxy.wait_log("raised in a run")
    yes(int(stage.client(proxy).ask(get()).body) >= 4, "the count")


@scene("serveHTTP with a static message, and json")
def serve(stage):
    proxy = stage.proxy("""
listen($proxy):serveHTTP(Message { status = 203, headers = { ["x-a"] = "b" }, body = "static" })
listen($json):serveHTTP(function(req) local value, err = req:json(); return Message { json = { got = value and value.a or err and "error" } } end)
""")
    client = stage.client(proxy)
    same([(answer.status, answer.body, answer.get("x-a")) for answer in [client.ask(get()) for _ in range(2)]], [(203, b"static", "b")] * 2)
    client = stage.client(proxy.port["json"])
    answer = client.ask(post('{"a": [1, true, "x"]}'))
    same((answer.body, answer.get("content-type")), (b'{"got":[1,true,"x"]}', "application/json"))
    same(client.ask(post("{")).body, b'{"got":"error"}')


@scene("codecs by hand: decodeHTTPRequest and encodeHTTPResponse around a handler")
def codecs(stage):
    proxy = stage.proxy("""
listen($proxy):decodeHTTPRequest():replaceMessage(function(req) return Message("by hand " .. req.path) end):encodeHTTPResponse()
""")
    client = stage.client(proxy)
    same([client.ask(get(path)).body for path in ["/1", "/2"]], [b"by hand /1", b"by hand /2"])


main()
