-- The lesson's routing, with the requests of all clients pipelined over one connection per target.
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
  :muxHTTP("connection", function(ctx) return ctx.target end, { pipelining = 64 })

pipeline("connection")
  :connect(function(ctx) return ctx.target end)

pipeline("404")
  :replaceMessage(Message { status = 404, body = "No route" })
