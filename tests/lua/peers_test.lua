-- What stands around a script in a test: clients, upstreams and how they fail, names, time, files.

local proxy

--- A script as a file that is not there.
local function load(text, options)
  options = options or {}
  options.files = options.files or {}
  options.files["main.lua"] = text
  return test.load("main.lua", options)
end

local forwarding = [[
  listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80", { connectTimeout = 3, readTimeout = 7 })))
]]

local function error_of(res)
  expect(res.status):atLeast(500)
  return res.body:match("%(([%w-]+)%)")
end

beforeEach(function() proxy = load(forwarding) end)

-- ---- upstreams

test("an upstream is a Message, a string or a function, and keeps what it was asked", function()
  local up = proxy:upstream("10.0.0.1:80", "text")
  expect(proxy:request(8000).body):equals("text")
  proxy:upstream("10.0.0.1:80", Message { status = 201, json = { a = 1 } })
  local res = proxy:request(8000)
  expect(res.status):equals(201)
  expect(res:json()):equals({ a = 1 })
  proxy:upstream("10.0.0.1:80", function(req) return req.method .. req.body end)
  expect(proxy:request(8000, { method = "POST", path = "/x?y=1", body = "body" }).body):equals("POSTbody")
  expect(#up.requests):equals(3)
  local seen = up.requests[3]
  expect(seen.path):equals("/x?y=1")
  expect(seen.query.y):equals("1")
  expect(seen.body):equals("body")
  expect(seen.headers.host):equals("127.0.0.1:8000")
  expect(up.address):equals("10.0.0.1:80")
end)

test("another answer keeps the upstream's connections, another fate ends them", function()
  local up = proxy:upstream("10.0.0.1:80", "one")
  proxy:request(8000)
  proxy:upstream("10.0.0.1:80", "two")
  expect(proxy:request(8000).body):equals("two")
  expect(up.connections):equals(1)
  proxy:upstream("10.0.0.1:80", test.refuse)
  test.advance("1ms")
  expect(up.open):equals(0)
  expect(error_of(proxy:request(8000))):equals("connect-failure")
  proxy:upstream("10.0.0.1:80", "three")
  expect(proxy:request(8000).body):equals("three")
end)

test("refuse, and an address where nobody is", function()
  expect(error_of(proxy:request(8000))):equals("connect-failure")
  proxy:upstream("10.0.0.1:80", test.refuse)
  expect(error_of(proxy:request(8000))):equals("connect-failure")
  expect(test.now()):equals(0)
end)

test("blackhole: connecting takes as long as it may", function()
  proxy:upstream("10.0.0.1:80", test.blackhole)
  expect(error_of(proxy:request(8000))):equals("connect-timeout")
  expect(test.now()):equals(3)
end)

test("blackhole: a connection that is there falls silent, and hears again later", function()
  local up = proxy:upstream("10.0.0.1:80", "here")
  local client = proxy:connect(8000)
  expect(client:request().body):equals("here")
  proxy:upstream("10.0.0.1:80", test.blackhole)
  local asked = test.now()
  expect(error_of(client:request())):equals("read-timeout")
  expect(test.now() - asked):equals(7)
  proxy:upstream("10.0.0.1:80", "back")
  expect(proxy:request(8000).body):equals("back")
  expect(up.connections):atLeast(2)
end)

test("silent: the connection is made, and nothing comes", function()
  proxy:upstream("10.0.0.1:80", test.silent)
  expect(error_of(proxy:request(8000))):equals("read-timeout")
  expect(test.now()):equals(7)
end)

test("reset: the request is heard, and its connection reset", function()
  local up = proxy:upstream("10.0.0.1:80", test.reset)
  expect(error_of(proxy:request(8000, { method = "POST", body = "x" }))):equals("reset")
  expect(#up.requests):equals(1)
end)

test("cut: the answer ends too early, and so does the client's", function()
  proxy:upstream("10.0.0.1:80", test.cut(200, Message { body = ("x"):rep(1000) }))
  local res, err = proxy:request(8000)
  expect(res):isNil()
  expect(err.code):equals("truncated")
end)

test("slow", function()
  proxy:upstream("10.0.0.1:80", test.slow("1500ms", Message "late"))
  expect(proxy:request(8000).body):equals("late")
  expect(test.now()):equals(1.5)
end)

test("a function of an upstream may wait, and give its body in pieces", function()
  proxy:upstream("10.0.0.1:80", function()
    sleep(1)
    local pieces = { "a", "b", "c" }
    return Message { body = function() sleep(0.5) return table.remove(pieces, 1) end }
  end)
  local client = proxy:connect(8000)
  client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  expect(client:receive("\r\n\r\n")):contains("200 OK")
  expect(test.now()):equals(1)
  expect(client:receive("a\r\n")):equals("1\r\na\r\n")
  expect(test.now()):equals(1.5)
  expect(client:receive("0\r\n\r\n")):equals("1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")
  expect(test.now()):equals(3)
end)

test("raw: an upstream by hand", function()
  local up = proxy:upstream("10.0.0.1:80", test.raw(function(connection)
    expect(connection:receive("\r\n\r\n")):matches("^GET /raw HTTP/1.1\r\n")
    connection:send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    sleep(1)
    connection:send("ok")
    expect(connection:receive(1)):isNil()
  end))
  expect(proxy:request(8000, "/raw").body):equals("ok")
  expect(up.connections):equals(1)
  expect(#up.requests):equals(0)
end)

test("raw: what is no HTTP is a 502", function()
  proxy:upstream("10.0.0.1:80", test.raw(function(connection)
    connection:receive("\r\n\r\n")
    connection:send("what?\r\n\r\n")
    connection:close()
  end))
  expect(error_of(proxy:request(8000))):equals("bad-response")
end)

-- ---- clients

test("a client keeps its connection and its address", function()
  load [[ listen(9000):serveHTTP(function(req, ctx) return Message(ctx.client.ip .. " " .. ctx.client.id) end) ]]
  local other = load [[
    listen(9001):serveHTTP(function(req, ctx) return Message(ctx.client.ip .. " " .. ctx.client.id) end)
  ]]
  local client = other:connect(9001, { from = "10.1.2.3" })
  local first = client:request().body
  expect(first):matches("^10.1.2.3 ")
  expect(client:request().body):equals(first)
  expect(other:request(9001, { from = "10.1.2.4" }).body):matches("^10.1.2.4 ")
  test.advance("1ms")
  expect(other:sessions()):equals(1)
  expect(client:state()):equals("open")
  client:close()
  test.advance("1ms")
  expect(client:state()):equals("closed")
  expect(other:sessions()):equals(0)
  expect(client:send("x")):isFalse()
  local res, err = client:request()
  expect(res):isNil()
  expect(err.code):equals("closed")
end)

test("a client that finishes still gets its answer, one that resets gets none", function()
  proxy:upstream("10.0.0.1:80", test.slow(1, "late"))
  local polite, rude = proxy:connect(8000), proxy:connect(8000)
  for _, client in ipairs { polite, rude } do client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") end
  polite:finish()
  rude:reset()
  expect(polite:response().body):equals("late")
  expect(polite:receive(1)):isNil()
  expect(polite:state()):equals("ended")
  expect(rude:state()):equals("closed")
end)

test("several requests at once are answered in order", function()
  proxy:upstream("10.0.0.1:80", function(req)
    if req.path == "/1" then sleep(1) end
    return req.path
  end)
  local client = proxy:connect(8000)
  client:send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
  expect(client:response().body):equals("/1")
  local head = client:response("HEAD")
  expect(head.body):equals("")
  expect(head.headers["content-length"]):equals("2")
  expect(client:response().body):equals("/3")
end)

test("a request's body may be pieces, its trailers come behind", function()
  local up = proxy:upstream("10.0.0.1:80", function(req) return req.body end)
  local pieces = { "one ", "two ", "three" }
  local res = proxy:request(8000, { method = "PUT", body = function()
    sleep(1)
    return table.remove(pieces, 1)
  end })
  expect(res.body):equals("one two three")
  expect(test.now()):equals(4)
  expect(up.requests[1].headers["transfer-encoding"]):isNil()
end)

test("a timeout ends a wait, not the connection", function()
  proxy:upstream("10.0.0.1:80", test.slow(2, "late"))
  local client = proxy:connect(8000)
  local res, err = client:request { timeout = "1s" }
  expect(res):isNil()
  expect(err.code):equals("request-timeout")
  expect(client:response().body):equals("late")
  expect(test.now()):equals(2)
  local nothing, why = client:receive(1, { timeout = 1 })
  expect(nothing):isNil()
  expect(why.code):equals("request-timeout")
end)

test("close asks for the end of the connection", function()
  proxy:upstream("10.0.0.1:80", "bye")
  local client = proxy:connect(8000)
  expect(client:request { close = true }.body):equals("bye")
  expect(client:receiveAll()):equals("")
  expect(client:state()):equals("ended")
end)

test("receive reads as much as is asked", function()
  load [[ listen(9000):connect("10.0.0.2:9") ]]
  local relay = load [[ listen(9001):connect("10.0.0.2:9") ]]
  relay:upstream("10.0.0.2:9", test.raw(function(connection)
    connection:send("hello\nworld")
    connection:send(connection:receive("!"))
    connection:close()
  end))
  local client = relay:connect(9001)
  expect(client:receive("\n")):equals("hello\n")
  expect(client:receive(2)):equals("wo")
  expect(client:receive()):equals("rld")
  expect(client:receive(0)):equals("")
  client:send(Data "me!")
  expect(client:receiveAll()):equals("me!")
  local bytes, err = client:receive()
  expect(bytes):isNil()
  expect(err.code):equals("closed")
end)

-- ---- the script

test("a port may be an address; where nobody listens is an error", function()
  local other = load [[ listen("127.0.0.1:9000"):serveHTTP(Message "a"); listen("unix:/run/x"):serveHTTP(Message "b") ]]
  expect(other:request("127.0.0.1:9000").body):equals("a")
  expect(other:request(9000).body):equals("a")
  expect(other:request("unix:/run/x").body):equals("b")
  expect(function() other:request(80) end)
    :raises("the script does not listen at 80; it listens at 127.0.0.1:9000, unix:/run/x")
end)

test("env and files are what the script sees", function()
  local other = load([[
    local greeting = require "words"
    listen(9000):serveHTTP(function()
      return Message { json = {
        os.env.NAME or "none", os.env.HOME or "none", file.read("a.txt"), json.load("conf/b.json").x, greeting } }
    end)
  ]], {
    env = { NAME = "ann" },
    files = { ["a.txt"] = "A", ["conf/b.json"] = '{"x": 1}', ["words.lua"] = 'return "hello"' },
  })
  expect(other:request(9000):json()):equals({ "ann", "none", "A", 1, "hello" })
end)

test("several workers are one process", function()
  local other = load([[
    local asked = 0
    listen(9000):serveHTTP(function() asked = asked + 1 return Message(tostring(asked)) end)
  ]], { workers = 4 })
  local counts = {}
  for i = 1, 40 do counts[i] = tonumber(other:request(9000).body) end
  -- With one worker the last would be the fortieth.
  expect(math.max(unpack(counts))):atMost(39)
end)

test("workers of one process share what they share in a real one", function()
  local other = load([[
    local d = shared "counts"
    listen(9000):serveHTTP(function() return Message(tostring(d:incr "n")) end)
  ]], { workers = 4 })
  local bodies = {}
  for i = 1, 8 do bodies[i] = other:request(9000).body end
  expect(bodies):equals({ "1", "2", "3", "4", "5", "6", "7", "8" })
end)

test("each test begins with a script that nobody has used, at the same moment", function()
  expect(test.now()):equals(0)
  proxy:upstream("10.0.0.1:80", "x")
  expect(proxy:upstream("10.0.0.1:80", "y").connections):equals(0)
end)

test("what a script has wrong is said where the test loads it", function()
  expect(function() load "listen(8001):muxHTP()" end):raises('main.lua:1: there is no filter "muxHTP"')
  expect(function() test.load "nowhere.lua" end):raises("nowhere.lua: No such file or directory")
  expect(function() load "listen(8000):serveHTTP(Message 'x')" end):raises("Address already in use")
end)

test("time passes when the test lets it", function()
  local other = load [[
    local ticks = 0
    every(60, function() ticks = ticks + 1 end)
    after("90s", function() log.info("after") end)
    listen(9000):serveHTTP(function() return Message(tostring(ticks)) end)
  ]]
  expect(other:request(9000).body):equals("0")
  test.advance("1h")
  expect(other:request(9000).body):equals("60")
  expect(test.log()):contains("after")
  test.advance("48h")
  expect(test.now()):equals(49 * 3600)
end)

test("tasks run beside the test, and give what they return", function()
  local task = test.spawn(function()
    sleep(2)
    return 1, nil, "three"
  end)
  expect(test.now()):equals(0)
  local a, b, c = task:wait()
  expect({ a, c }):equals({ 1, "three" })
  expect(b):isNil()
  expect(test.now()):equals(2)
  expect(select("#", task:wait())):equals(3)
  local failing = test.spawn(function() error("broken") end)
  expect(function() failing:wait() end):raises("broken")
end)

-- ---- the network and its names

test("a slow network", function()
  test.network { latency = "100ms" }
  proxy:upstream("10.0.0.1:80", "far")
  expect(proxy:request(8000).body):equals("far")
  -- Two connections and two exchanges, there and back.
  expect(test.now()):equals(0.8)
  test.network { bandwidth = "1k" }
  local before = test.now()
  proxy:upstream("10.0.0.1:80", ("x"):rep(5000))
  expect(#proxy:request(8000).body):equals(5000)
  expect(test.now() - before):atLeast(5)
end)

test("a network that cuts everything into pieces changes nothing", function()
  test.network { pieces = true, jitter = "1ms" }
  local body = ("0123456789"):rep(3000)
  proxy:upstream("10.0.0.1:80", function(req) return req.body end)
  expect(proxy:request(8000, { method = "POST", body = body }).body):equals(body)
end)

test("an upstream's name gets an address by itself", function()
  local other = load [[
    local api = upstream("api", { endpoints = { "api.internal:80" }, retry = false })
    listen(9000):demuxHTTP(pipeline():forward(api))
  ]]
  other:upstream("api.internal:80", "named")
  expect(other:request(9000).body):equals("named")
end)

test("names as the test says", function()
  local other = load [[
    listen(9000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("api.internal:80"), nil, { maxMessages = 1 }))
  ]]
  expect(error_of(other:request(9000))):equals("resolve-failure")
  test.dns("api.internal", { "10.0.0.7" }, { ttl = 1 })
  other:upstream("10.0.0.7:80", "seven")
  expect(other:request(9000).body):equals("seven")
  test.dns("api.internal", "fail")
  expect(error_of(other:request(9000))):equals("resolve-failure")
  test.dns("api.internal", nil)
  expect(error_of(other:request(9000))):equals("resolve-failure")
  test.dns("api.internal", "silent")
  expect(error_of(other:request(9000))):matches("timeout")
end)

test("services by SRV records", function()
  test.dns("a.internal", { "10.0.0.1" })
  test.dns("b.internal", { "10.0.0.2" })
  test.dns("_http._tcp.internal", {
    { host = "a.internal", port = 81, priority = 1 }, { host = "b.internal", port = 82, priority = 2, weight = 5 },
  })
  local other = load [[
    local api = upstream("api", { dns = { name = "_http._tcp.internal", service = true } })
    listen(9000):demuxHTTP(pipeline():forward(api))
  ]]
  other:upstream("10.0.0.1:81", "a")
  other:upstream("10.0.0.2:82", "b")
  test.advance(1)
  expect(other:request(9000).body):equals("a")
end)

-- ---- mistakes

test("wrong words are refused, with the right ones", function()
  for _, case in ipairs {
    { function() return test.loda end, 'test has no "loda"; did you mean "load"?' },
    { function() test.load(1) end, "argument 1 (path) expects a string, got 1" },
    { function() test.load("main.lua", { envs = {} }) end, 'unknown option "envs"; did you mean "env"?' },
    { function() test.load("main.lua", { workers = 0 }) end, "a whole number from 1 to 64, got 0" },
    { function() test.load("main.lua", { files = { a = 1 } }) end, "expects strings by name, got 1" },
    { function() test.advance("soon") end, 'argument 1 (time) expects a number of seconds or "5s", got "soon"' },
    { function() test.spawn("x") end, "argument 1 (fn) expects a function" },
    { function() test.slow(1, 5) end, "argument 2 expects a Message or a function, got 5" },
    { function() test.cut("x", "y") end, "argument 1 (bytes) expects a number of bytes" },
    { function() test.raw(1) end, "argument 1 (fn) expects a function" },
    { function() test.network(5) end, "expects a table of options" },
    { function() test.network { bandwidth = 0 } end, 'option "bandwidth" expects bytes a second' },
    { function() test.dns("a", 5) end, "argument 2 expects a list of addresses or services" },
    { function() test.dns("a", { 5 }) end, "the list holds addresses or services" },
    { function() test.dns("a", { { host = "b" } }) end, "a service is { host =, port =" },
    { function() test("late", print) end, "it stands at the top of the file" },
    { function() test.chaos() end, "it stands at the top of the file" },
    { function() beforeEach(print) end, "it stands at the top of the file" },
    { function() test.x = 1 end, -- luacheck: ignore 122
      "test belongs to the engine" },
    { function() proxy:upstream(80, "x") end, "argument 1 (address) expects" },
    { function() proxy:upstream("nowhere", "x") end, "proxy:upstream: " },
    { function() proxy:upstream("10.0.0.1:80", 5) end,
      "argument 2 expects a Message, a function or one of test.blackhole" },
    { function() proxy:upstream("10.0.0.1:80", Message { path = "/" }) end, "a request answers nothing" },
    { function() proxy:upstream("127.0.0.1:8000", "x"):close() end, "an upstream of a test has no" },
    { function() proxy:request(8000, { paht = "/" }) end, 'unknown option "paht"; did you mean "path"?' },
    { function() proxy:request(8000, { headers = 5 }) end, 'option "headers" expects a table' },
    { function() proxy:request(8000, { timeout = "x" }) end, 'option "timeout" expects a number of seconds' },
    { function() proxy:request(8000, { from = "nobody" }) end, '"from" expects an IP address' },
    { function() proxy:connect(8000):recieve() end, 'a client has no "recieve"; did you mean "receive"?' },
    { function() proxy:connect(8000):receive({}) end, "argument 1 (what) expects a number of bytes or a text" },
    { function() proxy:connect(8000):send(5) end, "client:send expects a string or a Data" },
    { function() proxy:connect(8000):response(5) end, "argument 1 (method) expects a string" },
    { function() proxy:connect(8000):request { from = "10.0.0.1" } end, '"from" is an option of proxy:connect' },
    { function() proxy:reqest(8000) end, 'a proxy under test has no "reqest"; did you mean "request"?' },
    { function() proxy:reload(5) end, "argument 1 (file) expects a path" },
  } do
    expect(case[1]):raises(case[2])
  end
end)
