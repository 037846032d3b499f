-- main.lua
local router = algo.URLRouter {
  ["/*"]    = algo.RoundRobinLoadBalancer { "127.0.0.1:8080" },
  ["/hi/*"] = algo.RoundRobinLoadBalancer { "127.0.0.1:8081", "127.0.0.1:8082" },
}

local lastID = 0
local connections = algo.ResourcePool(function(target)
  lastID = lastID + 1
  return lastID
end)

listen(8000)
  :handleSessionStart(function(ctx)
    ctx.choices = algo.Cache(
      function(balancer)         return balancer:select() end,
      function(balancer, target) balancer:deselect(target) end)
    ctx.targets = algo.Cache(
      function(target)     return connections:allocate(target) end,
      function(target, id) connections:free(id) end)
  end)
  :handleSessionEnd(function(ctx)
    ctx.choices:clear()
    ctx.targets:clear()
  end)
  :demuxHTTP("routing")

pipeline("routing")
  :handleMessageStart(function(req, ctx)
    local balancer = router:find(req.headers.host, req.path)
    ctx.target = balancer and ctx.choices:get(balancer)
  end)
  :route(function(ctx) return ctx.target and "forward" or "404" end)

pipeline("forward")
  :muxHTTP("connection", function(ctx) return ctx.targets:get(ctx.target) end)

pipeline("connection")
  :connect(function(ctx) return ctx.target end)

pipeline("404")
  :replaceMessage(Message { status = 404, body = "No route" })
