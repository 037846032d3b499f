-- Routing by path, and one field set each way.
local router = algo.URLRouter {
  ["/*"]    = "127.0.0.1:8080",
  ["/hi/*"] = "127.0.0.1:8081",
}

listen(8000):demuxHTTP("routing")

pipeline("routing")
  :handleMessageStart(function(req, ctx)
    ctx.target = router:find(req.headers.host, req.path)
    req.headers["x-via"] = "bench"
  end)
  :muxHTTP("connection", function(ctx) return ctx.target end, { maxSessions = 256 })
  :handleMessageStart(function(res)
    res.headers["x-served-by"] = "bench"
  end)

pipeline("connection")
  :connect(function(ctx) return ctx.target end)
