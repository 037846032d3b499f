local A, B, C = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"
local proxy

beforeEach(function()
  proxy = test.load "main.lua"
  local function answer(req)
    if req.pathname == "/old" then return Message { status = 302, headers = { location = "/new" } } end
    return Message(req.path)
  end
  for _, address in ipairs { A, B, C } do proxy:upstream(address, answer) end
end)

test("the prefix stays outside, the query goes along", function()
  expect(proxy:request(8000, "/hi").body):equals("/")
  expect(proxy:request(8000, "/hi/there?who=me").body):equals("/there?who=me")
  expect(proxy:request(8000, "/%68i/there").body):equals("/there")
end)

test("a route without a prefix leaves paths alone", function()
  expect(proxy:request(8000, "/there?who=me").body):equals("/there?who=me")
end)

test("a redirect comes back with its prefix", function()
  expect(proxy:request(8000, "/hi/old").headers.location):equals("/hi/new")
  expect(proxy:request(8000, "/old").headers.location):equals("/new")
end)
