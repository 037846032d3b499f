local A, B = "127.0.0.1:8080", "127.0.0.1:8081"
local proxy, a

beforeEach(function()
  proxy = test.load "main.lua"
  a = proxy:upstream(A, function(req)
    if req.path == "/slow" then sleep(2) end
    return Message("A " .. req.path)
  end)
  proxy:upstream(B, Message "B")
end)

test("one client never waits for the answer of another", function()
  local slow = test.spawn(function() return proxy:request(8000, "/slow") end)
  test.advance(0.5)
  expect(proxy:request(8000, "/fast").body):equals("A /fast")
  expect(test.now()):equals(0.5)
  expect(slow:wait().body):equals("A /slow")
end)

test("a client that comes later takes the connection that is free", function()
  for _ = 1, 5 do proxy:request(8000, "/") end
  expect(#a.requests):equals(5)
  expect(#a.connections):equals(1)
end)

test("a session borrows one number for each target", function()
  local client = proxy:connect(8000)
  expect(client:request("/").body):equals("A /")
  expect(client:request("/hi").body):equals("B")
  expect(client:request("/again").body):equals("A /again")
  expect(#a.connections):equals(1)
end)
