-- What the lesson promises, on the simulated network: perilune test tutorial/03-connection-pool

local proxy, first, second

--- An upstream that says who it is, and takes two seconds for what ends in "slow".
local function named(name)
  return function(req)
    if req.path:find("slow$") then sleep(2) end
    return Message(name .. " " .. req.path)
  end
end

beforeEach(function()
  proxy = test.load "main.lua"
  first = proxy:upstream("127.0.0.1:8080", named "first")
  second = proxy:upstream("127.0.0.1:8081", named "second")
end)

test("a request goes where its path says", function()
  expect(proxy:request(8000, "/").body):equals("first /")
  expect(proxy:request(8000, "/hi").body):equals("second /hi")
  expect(proxy:request(8000, "/hi/there?x=1").body):equals("second /hi/there?x=1")
  expect(proxy:request(8000, "/high").body):equals("first /high")
end)

test("what has no route is a 404, and no upstream hears of it", function()
  local res = proxy:request(8000, { method = "OPTIONS", path = "*" })
  expect(res.status):equals(404)
  expect(res.body):equals("No route")
  expect(#first.requests + #second.requests):equals(0)
end)

test("the requests of a session share one connection to each upstream", function()
  local client = proxy:connect(8000)
  for _ = 1, 3 do
    expect(client:request("/").status):equals(200)
    expect(client:request("/hi").status):equals(200)
  end
  expect(#first.requests):equals(3)
  expect(first.connections):equals(1)
  expect(second.connections):equals(1)
end)

test("two sessions never share one at the same time", function()
  local one, two = proxy:connect(8000), proxy:connect(8000)
  one:request("/")
  two:request("/")
  expect(first.open):equals(2)
end)

test("a slow answer holds up what is behind it on the same connection", function()
  local client = proxy:connect(8000)
  client:send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
  expect(client:response().body):equals("first /slow")
  expect(client:response().body):equals("first /")
  expect(test.now()):equals(2)
end)

test("and nobody else: other sessions do not wait for it", function()
  local slow = test.spawn(function() return proxy:request(8000, "/slow") end)
  test.advance("100ms")
  local asked = test.now()
  expect(proxy:request(8000, "/").body):equals("first /")
  expect(test.now() - asked):equals(0)
  expect(slow:wait().body):equals("first /slow")
  expect(test.now()):equals(2)
end)

test("what a session leaves the next one finds: its connection is still warm", function()
  for _ = 1, 5 do expect(proxy:request(8000, "/").status):equals(200) end
  expect(first.connections):equals(1)
end)

test("a connection that nobody has used for a minute is closed", function()
  proxy:request(8000, "/")
  test.advance(59)
  expect(first.open):equals(1)
  test.advance(2)
  expect(first.open):equals(0)
  expect(proxy:request(8000, "/").body):equals("first /")
end)

test("an upstream that is not there is a 502", function()
  proxy:upstream("127.0.0.1:8080", test.refuse)
  expect(proxy:request(8000, "/").status):equals(502)
  expect(proxy:request(8000, "/hi").status):equals(200)
end)

test.chaos { requests = { "/", "/hi", { path = "/hi/there", method = "POST", body = "words" } } }
