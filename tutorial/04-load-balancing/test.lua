local A, B, C = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"
local proxy

beforeEach(function()
  proxy = test.load "main.lua"
  proxy:upstream(A, Message "A")
  proxy:upstream(B, Message "B")
  proxy:upstream(C, Message "C")
end)

test("sessions take turns", function()
  local answers = {}
  for i = 1, 4 do answers[i] = proxy:request(8000, "/hi").body end
  expect(table.concat(answers)):equals("BCBC")
end)

test("a session stays with its server", function()
  local first, second = proxy:connect(8000), proxy:connect(8000)
  local answers = {}
  for i = 1, 3 do answers[i] = first:request("/hi").body .. second:request("/hi").body end
  expect(table.concat(answers, " ")):equals("BC BC BC")
end)

test("a route with one server has no choice", function()
  for _ = 1, 3 do expect(proxy:request(8000, "/").body):equals("A") end
end)
