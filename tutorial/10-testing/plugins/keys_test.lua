-- The plugin alone, in a proxy that is just large enough for it.
local script = [[
  context { "route" }
  listen(8000):demuxHTTP("web")

  pipeline("web")
    :handleMessageStart(function(req, ctx) ctx.route = { private = req.pathname ~= "/public" } end)
    :use({ { "keys", { secret = "ann" } } }, "who")

  pipeline("who")
    :replaceMessage(function(req)
      return Message(tostring(req.headers["x-user"]) .. " " .. tostring(req.headers["x-key"]))
    end)
]]
local proxy

beforeEach(function() proxy = test.load("proxy.lua", { files = { ["proxy.lua"] = script } }) end)

test("a private route wants a key", function()
  expect(proxy:request(8000, "/").status):equals(401)
  expect(proxy:request(8000, { path = "/", headers = { ["x-key"] = "guessed" } }).status):equals(401)
end)

test("the server learns whose key it was, and not the key", function()
  expect(proxy:request(8000, { path = "/", headers = { ["x-key"] = "secret" } }).body):equals("ann nil")
end)

test("nobody names himself", function()
  expect(proxy:request(8000, { path = "/public", headers = { ["x-user"] = "root" } }).body):equals("nil nil")
end)
