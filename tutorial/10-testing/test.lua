local HELLO, A, B = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"
local proxy, hello, a, b

local function server(name)
  return function(req)
    if req.path == "/healthz" then return Message { status = 200 } end
    if req.path == "/old" then return Message { status = 302, headers = { location = "/new" } } end
    if req.path == "/away" then return Message { status = 302, headers = { location = "//elsewhere.test/" } } end
    return Message(name .. " " .. req.method .. " " .. req.path)
  end
end

beforeEach(function()
  proxy = test.load "main.lua"
  hello = proxy:upstream(HELLO, server "hello")
  a = proxy:upstream(A, server "a")
  b = proxy:upstream(B, server "b")
end)

test("the path chooses the service", function()
  expect(proxy:request(8000, "/there").body):equals("hello GET /there")
  expect(proxy:request(8000, "/hi/there").body):matches("^[ab] GET /there$")
  expect(#hello.requests):equals(1)
end)

test("a redirect comes back with its prefix", function()
  expect(proxy:request(8000, "/hi/old").headers.location):equals("/hi/new")
  expect(proxy:request(8000, "/old").headers.location):equals("/new")
end)

test("a redirect to another host is not ours", function()
  expect(proxy:request(8000, "/hi/away").headers.location):equals("//elsewhere.test/")
end)

test("a silent server costs a second, and no more", function()
  proxy:upstream(HELLO, test.blackhole)
  expect(proxy:request(8000, "/").status):equals(504)
  expect(test.now()):equals(1)
end)

test("one of two servers is gone: a GET does not notice", function()
  proxy:upstream(A, test.refuse)
  for _ = 1, 10 do expect(proxy:request(8000, "/hi").body):equals("b GET /") end
end)

test("a POST that was sent is not sent again", function()
  proxy:upstream(A, test.reset)
  proxy:upstream(B, test.reset)
  expect(proxy:request(8000, { method = "POST", path = "/hi", body = "pay 5" }).status):equals(502)
  local posts = 0
  for _, upstream in ipairs { a, b } do
    for _, req in ipairs(upstream.requests) do posts = posts + (req.method == "POST" and 1 or 0) end
  end
  expect(posts):atMost(1)
end)

test.chaos { requests = { "/", "/hi/there", { method = "POST", path = "/hi/form", body = "words" } } }
