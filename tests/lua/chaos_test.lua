-- Whole scripts on a network that does everything a network can do.

beforeEach(function()
  local proxy = test.load "scripts/gateway.lua"
  proxy:upstream("10.0.0.1:80", function(req)
    if req.path == "/slow" then sleep(0.3) end
    return Message { headers = { ["x-length"] = #req.body }, body = req.body:rep(2) }
  end)
  proxy:upstream("10.0.0.2:80", function(req)
    local left = 5
    return Message { body = function()
      left = left - 1
      sleep(0.02)
      return left >= 0 and ("%d"):format(left):rep(500) or nil
    end }
  end)
  proxy:upstream("127.0.0.1:9000", Message { headers = { ["x-user"] = "ann" } })
end)

test.chaos {
  name = "every request gets one answer of its own, or a cut",
  seeds = 100,
  requests = {
    "/", "/slow", "/own", { path = "/", method = "HEAD" },
    { path = "/", method = "POST", body = ("post"):rep(3000) }, { path = "/own", method = "PUT", body = "short" },
    { path = "/nobody", headers = { authorization = "none" } },
  },
}
