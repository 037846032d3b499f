-- Filters as scripts use them, each in a small script of its own.

local proxy, up

local function load(text)
  proxy = test.load("main.lua", { files = { ["main.lua"] = text } })
  up = proxy:upstream("10.0.0.1:80", function(req)
    return Message { headers = { ["x-path"] = req.path }, body = req.method .. " " .. req.path .. " " .. req.body }
  end)
  return proxy
end

--- A script that forwards to the upstream, with filters in front of that and behind it.
local function around(front, behind)
  return load(([[
    listen(8000):demuxHTTP("web")
    pipeline("web")%s:muxHTTP("upstream")%s
    pipeline("upstream"):connect("10.0.0.1:80")
  ]]):format(front or "", behind or ""))
end

-- ---- insert

test("insert puts a message in front of its like only", function()
  around [[:insert(function(ctx) return ctx.request.path == "/q" and Message "q" or nil end)]]
  expect(proxy:request(8000, "/a").status):equals(200)
  expect(proxy:request(8000, "/q").status):equals(500)
  expect(test.log()):contains("main.lua:2: insert: a response cannot stand in front of requests; to answer, return it")
  expect(#up.requests):equals(1)
  local raises = load [[
    listen(8001):demuxHTTP(pipeline():insert(function() error("no") end):muxHTTP(pipeline():connect("10.0.0.1:80")))
  ]]
  expect(raises:request(8001, "/a").status):equals(500)
  local text = load [[
    listen(8002):demuxHTTP(pipeline():insert("x"):muxHTTP(pipeline():connect("10.0.0.1:80")))
  ]]
  expect(text:request(8002, "/a").status):equals(500)
  expect(test.log()):contains("insert: bytes cannot stand among messages")
  local bytes = load [[ listen(9000):insert(Message "q"):connect("10.0.0.2:9") ]]
  bytes:upstream("10.0.0.2:9", test.raw(function(connection) connection:receiveAll() end))
  bytes:connect(9000):send("x")
  test.advance(1)
  expect(test.log()):contains("insert: a Message cannot stand among bytes; insert a text")
end)

-- ---- handlers

test("handleMessageStart sees a head before its body, and may answer", function()
  around [[:handleMessageStart(function(req)
    if req.path == "/no" then return Message { status = 403, body = "no" } end
    req.headers["x-seen"] = "yes"
  end)]]
  expect(proxy:request(8000, "/no").status):equals(403)
  expect(#up.requests):equals(0)
  proxy:request(8000, "/yes")
  expect(up.requests[1].headers["x-seen"]):equals("yes")
end)

test("handleMessageBody and handleMessage wait for the whole body", function()
  around [[
    :handleMessageBody(function(body, ctx) ctx.size = #body end)
    :handleMessage(function(req, ctx) req.headers["x-size"] = tostring(ctx.size) .. "," .. #req.body end)
  ]]
  local client = proxy:connect(8000)
  client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
  test.advance(1)
  expect(#up.requests):equals(0)
  client:send("cd")
  expect(client:response().body):equals("POST / abcd")
  expect(up.requests[1].headers["x-size"]):equals("4,4")
end)

test("a body over the limit of a collecting handler is a 413, or passes", function()
  around [[:handleMessageBody(function() end, { limit = 10 })]]
  expect(proxy:request(8000, { method = "POST", body = ("x"):rep(11) }).status):equals(413)
  expect(proxy:request(8000, { method = "POST", body = ("x"):rep(10) }).status):equals(200)
end)

test("a handler with over = pass lets a long body stream on", function()
  around [[:handleMessageBody(function() return Message { status = 400 } end, { limit = 10, over = "pass" })]]
  expect(proxy:request(8000, { method = "POST", body = ("x"):rep(11) }).status):equals(200)
  expect(proxy:request(8000, { method = "POST", body = "x" }).status):equals(400)
end)

test("a handler with a when asks first whether to collect", function()
  around [[:handleMessage(function() return Message "collected" end, {
    when = function(ctx) return ctx.request.path == "/collect" end })]]
  expect(proxy:request(8000, "/collect").body):equals("collected")
  expect(proxy:request(8000, "/pass").body):equals("GET /pass ")
end)

test("handleData sees each piece, handleMessageEnd how many bytes there were", function()
  around([[:handleData(function(data) log.info("piece " .. tostring(data)) end)]],
    [[:handleMessageEnd(function(res) log.info("end " .. res.bodySize) end)]])
  proxy:request(8000, { method = "POST", body = "abc" })
  expect(test.log()):contains("piece abc"):contains("end 10")
end)

test("handleExchangeEnd is called once for each request, however it ends", function()
  around([[:handleExchangeEnd(function(ctx, err)
    log.info("over " .. ctx.request.path, { err = err and err.code or "none" })
  end)]])
  proxy:request(8000, "/good")
  proxy:upstream("10.0.0.1:80", test.slow(5, "late"))
  local client = proxy:connect(8000)
  client:send("GET /left HTTP/1.1\r\nHost: a\r\n\r\n")
  test.advance(1)
  client:reset()
  test.advance(10)
  expect(test.log()):contains("over /good err=none"):matches("over /left err=%l")
  expect(select(2, test.log():gsub("over /", ""))):equals(2)
end)

test("handleSessionStart and handleSessionEnd frame a connection; false refuses it", function()
  load [[
    listen(8000)
      :handleSessionStart(function(ctx)
        log.info("start")
        if ctx.client.ip == "10.6.6.6" then return false end
      end)
      :handleSessionEnd(function() log.info("end") end)
      :serveHTTP(Message "hello")
  ]]
  expect(proxy:request(8000).body):equals("hello")
  test.advance("1ms")
  expect(test.log()):equals("info  start\ninfo  end\n")
  expect(proxy:request(8000, { from = "10.6.6.6" })):isNil()
end)

test("a handler that raises is a 500 of its request, and a traceback in the log", function()
  around [[:handleMessageStart(function(req)
    if req.path == "/bad" then error("no good") end
  end)]]
  expect(proxy:request(8000, "/bad").status):equals(500)
  expect(test.log()):contains("main.lua:3: no good"):contains("traceback")
  expect(proxy:request(8000, "/good").status):equals(200)
end)

-- ---- replacing

test("replaceMessage: a response answers, a request goes on, false drops", function()
  around [[:replaceMessage(function(req)
    if req.path == "/answer" then return Message { status = 201, body = "made" } end
    if req.path == "/drop" then return false end
    if req.path == "/nil" then return end
    return Message { path = "/other" .. req.path, headers = { host = req.host } }
  end)]]
  expect(proxy:request(8000, "/answer").status):equals(201)
  expect(proxy:request(8000, "/x").body):equals("GET /other/x ")
  expect(proxy:request(8000, "/drop").status):equals(500)
  expect(proxy:request(8000, "/nil").status):equals(500)
  expect(test.log()):contains("forgot return?")
end)

test("replaceMessageStart changes the head alone, replaceMessageBody the body", function()
  around([[:replaceMessageStart(function(req)
    return Message { method = "PUT", path = "/new", headers = { host = "b" } }
  end)]],
    [[:replaceMessageBody(function(body) return body:upper() end)]])
  expect(proxy:request(8000, { method = "POST", body = "words" }).body):equals("PUT /NEW WORDS")
  expect(up.requests[1].headers.host):equals("b")
end)

test("replaceData replaces pieces, and drops them", function()
  around("", [[:replaceData(function(data) return tostring(data):gsub("%s", "_") .. "" end)]])
  expect(proxy:request(8000, "/a").body):equals("GET_/a_")
  proxy:upstream("10.0.0.1:80", "")
  expect(proxy:request(8000, "/a").body):equals("")
end)

-- ---- answers and ways

test("serveHTTP answers with a Message or a function", function()
  load [[
    listen(8000):serveHTTP(Message { status = 418, body = "tea" })
    listen(8001):serveHTTP(function(req) sleep(1) return Message(req.body) end)
  ]]
  expect(proxy:request(8000).status):equals(418)
  expect(proxy:request(8001, { method = "POST", body = "echo" }).body):equals("echo")
  expect(test.now()):equals(1)
end)

test("route goes where its function says; nil is a 404", function()
  load [[
    listen(8000):demuxHTTP(pipeline():route(function(ctx) return ctx.request.query.to end, { "a", "b" }))
    pipeline("a"):replaceMessage(Message "a")
    pipeline("b"):replaceMessage(Message "b")
  ]]
  expect(proxy:request(8000, "/?to=a").body):equals("a")
  expect(proxy:request(8000, "/?to=b").body):equals("b")
  expect(proxy:request(8000, "/").status):equals(404)
end)

test("timeout gives the answer's head its time", function()
  around(":timeout(2)")
  proxy:upstream("10.0.0.1:80", test.slow(1, "in time"))
  expect(proxy:request(8000).body):equals("in time")
  proxy:upstream("10.0.0.1:80", test.slow(9, "late"))
  local asked = test.now()
  expect(proxy:request(8000).status):equals(504)
  expect(test.now() - asked):equals(2)
end)

test("two filters that collect one after the other both have the body, and so has the upstream", function()
  around [[
    :replaceMessageBody(function(body) return body .. "!" end)
    :handleMessageBody(function(body, ctx) ctx.first = body end)
    :handleMessage(function(req, ctx) req.headers["x-bodies"] = ctx.first .. "," .. req.body end)
  ]]
  expect(proxy:request(8000, { method = "POST", body = "abc" }).body):equals("POST / abc!")
  expect(up.requests[1].headers["x-bodies"]):equals("abc!,abc!")
end)

test("dump logs what passes, insert puts bytes in front", function()
  load [[ listen(8000):dump("in"):insert("PROXY "):connect("10.0.0.2:9"):dump("out") ]]
  proxy:upstream("10.0.0.2:9", test.raw(function(connection)
    connection:send(connection:receive("!"))
    connection:close()
  end))
  local client = proxy:connect(8000)
  client:send("hello!")
  expect(client:receiveAll()):equals("PROXY hello!")
  expect(test.log()):contains("dump in data 6 bytes"):contains("dump out data 12 bytes"):contains("dump out stream end")
end)

test("an errorPage is shown to what is no request", function()
  load [[
    listen(8000):demuxHTTP(pipeline():replaceMessage(Message "never"), {
      errorPage = function(err) return Message { status = 400, body = "page " .. err.code } end })
  ]]
  local client = proxy:connect(8000)
  client:send("GET / HTTP/1.1\r\nHost : a\r\n\r\n")
  expect(client:response().body):equals("page bad-request")
end)

test("muxHTTP without a key gives each message a connection of its own, with a key they share one", function()
  around()
  proxy:upstream("10.0.0.1:80", test.slow(1, "x"))
  local one = test.spawn(function() return proxy:request(8000) end)
  local two = test.spawn(function() return proxy:request(8000) end)
  one:wait()
  two:wait()
  expect(up.connections):equals(2)
  expect(test.now()):equals(1)
end)

test("muxHTTP with a key lets one message wait for the other", function()
  load [[
    listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80"), "all"))
  ]]
  proxy:upstream("10.0.0.1:80", test.slow(1, "x"))
  local one = test.spawn(function() return proxy:request(8000) end)
  local two = test.spawn(function() return proxy:request(8000) end)
  one:wait()
  two:wait()
  expect(up.connections):equals(1)
  expect(test.now()):equals(2)
end)

-- ---- clusters

test("forward takes turns, tries again, and says what went wrong", function()
  load [[
    local api = upstream("api", { endpoints = { "10.0.0.1:80", "10.0.0.2:80" },
      retry = { attempts = 2, on = { "connect-failure", 503 } } })
    listen(8000):demuxHTTP(pipeline()
      :forward(api)
      :handleMessageStart(function(res, ctx)
        res.headers["x-error"] = res.error and res.error.code
        res.headers["x-endpoint"] = ctx.upstream and ctx.upstream.endpoint
      end))
  ]]
  local other = proxy:upstream("10.0.0.2:80", "two")
  for _ = 1, 4 do expect(proxy:request(8000).status):equals(200) end
  expect(#up.requests):equals(2)
  expect(#other.requests):equals(2)
  proxy:upstream("10.0.0.1:80", Message { status = 503 })
  for _ = 1, 2 do
    local res = proxy:request(8000)
    expect(res.body):equals("two")
    expect(res.headers["x-endpoint"]):equals("10.0.0.2:80")
    expect(res.headers["x-error"]):isNil()
  end
  expect(#up.requests):atLeast(3)
  proxy:upstream("10.0.0.1:80", test.refuse)
  proxy:upstream("10.0.0.2:80", test.refuse)
  local res = proxy:request(8000)
  expect(res.status):equals(502)
  expect(res.headers["x-error"]):equals("connect-failure")
end)

test("a dead endpoint is found by its health check and comes back", function()
  load [[
    local api = upstream("api", { endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, retry = false,
      health = { path = "/healthz", interval = 1, fall = 2, rise = 2 } })
    listen(8000):demuxHTTP(pipeline():forward(api))
  ]]
  proxy:upstream("10.0.0.2:80", "two")
  proxy:upstream("10.0.0.1:80", test.refuse)
  test.advance(5)
  for _ = 1, 4 do expect(proxy:request(8000).body):equals("two") end
  proxy:upstream("10.0.0.1:80", "one again")
  test.advance(5)
  local seen = {}
  for _ = 1, 4 do seen[proxy:request(8000).body] = true end
  expect(seen):equals({ two = true, ["one again"] = true })
end)

test("endpoints are set in the form in which they are read", function()
  load [[
    local api = upstream("api", {
      endpoints = { { "10.0.0.1:80", weight = 3 }, { address = "10.0.0.2:80", priority = 1 } },
    })
    listen(8000):serveHTTP(function(req)
      if req.path == "/again" then api:set(api:endpoints()) end
      if req.path == "/wrong" then api:set { { address = "10.0.0.1:80", wieght = 2 } } end
      if req.path == "/none" then api:set { { host = "10.0.0.1", port = 80 } } end
      return Message { json = api:endpoints() }
    end)
  ]]
  local first = proxy:request(8000, "/"):json()
  expect(first[1].address):equals("10.0.0.1:80")
  expect({ first[1].weight, first[2].weight, first[2].priority }):equals({ 3, 1, 1 })
  expect(proxy:request(8000, "/again"):json()):equals(first)
  expect(proxy:request(8000, "/wrong").status):equals(500)
  expect(test.log()):contains('item 1: unknown option "wieght"; did you mean "weight"?')
  expect(proxy:request(8000, "/none").status):equals(500)
  expect(test.log()):contains('got a table with "host", "port" and no address in front')
end)

test("a request of the script's own", function()
  load [[
    listen(8000):serveHTTP(function(req)
      local res, err = http.get("http://10.0.0.1" .. req.path, { timeout = 2 })
      return Message(res and res.body or "failed: " .. err.code)
    end)
  ]]
  expect(proxy:request(8000, "/own").body):equals("GET /own ")
  proxy:upstream("10.0.0.1:80", test.silent)
  expect(proxy:request(8000, "/own").body):equals("failed: request-timeout")
end)
