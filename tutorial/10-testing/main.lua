-- main.lua
context { "route", "rest" }

local path = os.env.CONFIG or "config.json"
local config = assert(json.load(path))

local services = {}
for name, options in pairs(config.services) do
  services[name] = upstream(name, options)
end

local router = algo.URLRouter()
for pattern, route in pairs(config.routes) do
  local service = services[route.service]
  if not service then
    error(path .. ": " .. pattern .. " wants the service " .. tostring(route.service) .. ", which is not there")
  end
  router:add(pattern, { service = service, prefix = route.prefix, private = route.private })
end

listen(config.listen):demuxHTTP("web")

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
  :route(function(ctx) return ctx.route and "forward" or "404" end)

pipeline("forward")
  :forward(function(ctx) return ctx.route.service end)
  :handleMessageStart(function(res)
    if res.error then
      return Message { status = res.status, body = "We are sorry: " .. res.error.code .. "\n" }
    end
  end)

pipeline("404")
  :replaceMessage(Message { status = 404, body = "No route" })

-- Who is well: for us, not for the world.
listen("127.0.0.1:8001"):serveHTTP(function()
  local lines = {}
  for _, endpoint in ipairs(services.hi:endpoints()) do
    lines[#lines + 1] = endpoint.address .. " " .. endpoint.health .. "\n"
  end
  return Message(table.concat(lines))
end)
