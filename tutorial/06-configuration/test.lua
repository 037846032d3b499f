local A, B, C = "127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"

test("the configuration of the lesson", function()
  local proxy = test.load "main.lua"
  for _, address in ipairs { A, B, C } do
    proxy:upstream(address, function(req) return Message(address .. req.path) end)
  end
  expect(proxy:request(8000, "/there").body):equals(A .. "/there")
  expect(proxy:request(8000, "/hi/there").body):equals(B .. "/there")
  expect(proxy:request(8000, "/hi/there").body):equals(C .. "/there")
end)

test("another file, another proxy", function()
  local proxy = test.load("main.lua", {
    env = { CONFIG = "other.json" },
    files = {
      ["other.json"] = json.encode {
        listen = 9000,
        services = { only = { "10.0.0.1:80" } },
        routes = { ["/api/*"] = { service = "only", prefix = "/api" } },
      },
    },
  })
  proxy:upstream("10.0.0.1:80", function(req) return Message(req.path) end)
  expect(proxy:request(9000, "/api/x").body):equals("/x")
  expect(proxy:request(9000, "/x").status):equals(404)
end)

test("a route to a service that is not there is refused", function()
  expect(function()
    test.load("main.lua", {
      env = { CONFIG = "other.json" },
      files = { ["other.json"] = '{ "listen": 1, "services": {}, "routes": { "/*": { "service": "high" } } }' },
    })
  end):raises("/* wants the service high, which is not there")
end)
