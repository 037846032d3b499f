local A, B, C = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"
local proxy

local function server(name)
  return function(req) return Message(req.pathname == "/healthz" and "" or name .. " " .. req.method) end
end

beforeEach(function()
  proxy = test.load "main.lua"
  proxy:upstream(A, server "A")
  proxy:upstream(B, server "B")
  proxy:upstream(C, server "C")
  test.advance(1) -- the first checks
end)

test("a server that is gone is noticed by nobody", function()
  proxy:upstream(C, test.refuse)
  for _ = 1, 6 do expect(proxy:request(8000, "/hi").body):equals("B GET") end
end)

test("checks find out who is sick, and who is well again", function()
  expect(proxy:request(8001, "/").body):equals(B .. " healthy\n" .. C .. " healthy\n")
  proxy:upstream(C, Message { status = 503 })
  test.advance(3)
  expect(proxy:request(8001, "/").body):equals(B .. " healthy\n" .. C .. " unhealthy\n")
  for _ = 1, 4 do expect(proxy:request(8000, { method = "POST", path = "/hi" }).body):equals("B POST") end
  proxy:upstream(C, server "C")
  test.advance(3)
  expect(proxy:request(8001, "/").body):equals(B .. " healthy\n" .. C .. " healthy\n")
end)

test("a cookie brings a client back to its server", function()
  local first = proxy:request(8000, "/hi")
  local cookie = first.headers["set-cookie"]:match("^[^;]+")
  for _ = 1, 5 do
    expect(proxy:request(8000, { path = "/hi", headers = { cookie = cookie } }).body):equals(first.body)
  end
end)

test("a silent server is a 504 after its second, with a page of ours", function()
  proxy:upstream(A, test.blackhole)
  local began = test.now()
  local res = proxy:request(8000, "/")
  expect(res.status):equals(504)
  expect(res.body):equals("We are sorry: request-timeout\n")
  expect(test.now() - began):equals(1)
end)

test("what the servers themselves say stays as it is", function()
  proxy:upstream(A, Message { status = 404, body = "not here" })
  expect(proxy:request(8000, "/").body):equals("not here")
end)
