local A, B, C = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"
local ann = { ["x-key"] = "a-key-for-ann" }
local proxy

beforeEach(function()
  proxy = test.load "main.lua"
  local function answer(req)
    if req.pathname == "/old" then return Message { status = 302, headers = { location = "/new" } } end
    return Message { json = { path = req.path, user = req.headers["x-user"], key = req.headers["x-key"] } }
  end
  for _, address in ipairs { A, B, C } do proxy:upstream(address, answer) end
end)

test("a private route wants a key", function()
  expect(proxy:request(8000, "/hi").status):equals(401)
  expect(proxy:request(8000, { path = "/hi", headers = { ["x-key"] = "guessed" } }).status):equals(401)
  expect(proxy:request(8000, { path = "/hi", headers = ann }).status):equals(200)
end)

test("the server learns whose key it was, and not the key", function()
  local res = proxy:request(8000, { path = "/hi/there", headers = ann })
  expect(res:json()):equals { path = "/there", user = "ann" }
end)

test("nobody names himself", function()
  local res = proxy:request(8000, { path = "/", headers = { ["x-user"] = "root" } })
  expect(res:json()):equals { path = "/" }
end)

test("redirects come back with their prefix", function()
  expect(proxy:request(8000, { path = "/hi/old", headers = ann }).headers.location):equals("/hi/new")
end)

test("the headers are in every answer", function()
  proxy:upstream(A, test.refuse)
  local answers = {
    [200] = proxy:request(8000, { path = "/hi", headers = ann }),
    [401] = proxy:request(8000, "/hi"),
    [404] = proxy:request(8000, { method = "OPTIONS", path = "*" }),
    [502] = proxy:request(8000, "/"),
  }
  for status, res in pairs(answers) do
    expect(res.status):equals(status)
    expect(res.headers["x-content-type-options"]):equals("nosniff")
  end
end)
