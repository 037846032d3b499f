-- main.lua
context { "choices", "targets", "route", "rest", "target" }

local path = os.env.CONFIG or "config.json"
local config = assert(json.load(path))

local balancers = {}
for name, targets in pairs(config.services) do
  balancers[name] = algo.RoundRobinLoadBalancer(targets)
end

local router = algo.URLRouter()
for pattern, route in pairs(config.routes) do
  local balancer = balancers[route.service]
  if not balancer then
    error(path .. ": " .. pattern .. " wants the service " .. tostring(route.service) .. ", which is not there")
  end
  router:add(pattern, { balancer = balancer, prefix = route.prefix, private = route.private })
end

local lastID = 0
local connections = algo.ResourcePool(function(target)
  lastID = lastID + 1
  return lastID
end)

listen(config.listen)
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
  :demuxHTTP("web")

pipeline("web")
  :handleMessageStart(function(req, ctx)
    ctx.route, ctx.rest = router:find(req.headers.host, req.path)
  end)
  :use({
    { "plugins.headers", config.headers },
    { "plugins.keys", config.keys },
    "plugins.prefix",
  }, "routing")

pipeline("routing")
  :handleMessageStart(function(_, ctx)
    ctx.target = ctx.route and ctx.choices:get(ctx.route.balancer)
  end)
  :route(function(ctx) return ctx.target and "forward" or "404" end)

pipeline("forward")
  :muxHTTP("connection", function(ctx) return ctx.targets:get(ctx.target) end)

pipeline("connection")
  :connect(function(ctx) return ctx.target end)

pipeline("404")
  :replaceMessage(Message { status = 404, body = "No route" })
