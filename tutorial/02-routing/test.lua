local A, B = "127.0.0.1:8080", "127.0.0.1:8081"
local proxy

local function name_and_path(name)
  return function(req) return Message(name .. " " .. req.path) end
end

beforeEach(function()
  proxy = test.load "main.lua"
  proxy:upstream(A, name_and_path "A")
  proxy:upstream(B, name_and_path "B")
end)

test("the path chooses the upstream", function()
  expect(proxy:request(8000, "/").body):equals("A /")
  expect(proxy:request(8000, "/high").body):equals("A /high")
  expect(proxy:request(8000, "/hi").body):equals("B /hi")
  expect(proxy:request(8000, "/hi/there?who=me").body):equals("B /hi/there?who=me")
end)

test("there is no other way to write a path", function()
  expect(proxy:request(8000, "/x/../%68i//there").body):equals("B /x/../%68i//there")
end)

test("a question about the server as a whole has no route", function()
  local res = proxy:request(8000, { method = "OPTIONS", path = "*" })
  expect(res.status):equals(404)
  expect(res.body):equals("No route")
end)

test("an upstream that is not there is a 502", function()
  proxy:upstream(A, test.refuse)
  expect(proxy:request(8000, "/").status):equals(502)
end)

-- What lesson 3 begins with: both want the same connection.
test("a slow answer holds up whoever comes behind it", function()
  proxy:upstream(A, test.slow(2, Message "slow"))
  local slow = test.spawn(function() return proxy:request(8000, "/slow") end)
  test.advance(0.5)
  proxy:request(8000, "/fast")
  slow:wait()
  expect(test.now()):equals(4)
end)
