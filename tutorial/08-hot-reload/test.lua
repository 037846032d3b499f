local A, B, C = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"
local proxy

beforeEach(function()
  proxy = test.load "main.lua"
  for _, address in ipairs { A, B, C } do
    proxy:upstream(address, function(req)
      if req.path == "/slow" then sleep(2) end
      return Message(req.path)
    end)
  end
end)

test("a connection outlives a reload, a count as well, and nothing is lost", function()
  local client = proxy:connect(8000)
  expect(client:request("/one").body):equals("/one")
  local slow = test.spawn(function() return proxy:request(8000, "/slow") end)
  test.advance(1)
  proxy:reload()
  test.advance("10ms") -- connections move one after the other
  expect(client:request("/two").body):equals("/two")
  expect(client:state()):equals("open")
  expect(slow:wait().body):equals("/slow")
  expect(proxy:request(8001, "/").body):equals("requests: 2\n")
end)
