-- main.lua
local router = algo.URLRouter {
  ["/*"]    = "127.0.0.1:8080",
  ["/hi/*"] = "127.0.0.1:8081",
}

listen(8000)
  :demuxHTTP("routing")

pipeline("routing")
  :handleMessageStart(function(req, ctx)
    ctx.target = router:find(req.headers.host, req.path)
  end)
  :route(function(ctx) return ctx.target and "forward" or "404" end)

pipeline("forward")
  :muxHTTP("connection", function(ctx) return ctx.target end)

pipeline("connection")
  :connect(function(ctx) return ctx.target end)

pipeline("404")
  :replaceMessage(Message { status = 404, body = "No route" })
