-- A gateway that asks who the client is, tries again and collects some bodies: for chaos_test.lua.
local auth = upstream("auth", { endpoints = { "127.0.0.1:9000" } })
local api = upstream("api", {
  endpoints = { "10.0.0.1:80", "10.0.0.2:80" },
  retry = { attempts = 3, on = { "connect-failure", "reset", 503 } },
})

listen(8000):demuxHTTP(pipeline()
  :handleMessageStart(function(req)
    local res, err = auth:request(Message { path = "/check" }, { timeout = "1s" })
    if not res then return Message { status = 503, body = "auth: " .. err.code } end
    if req.headers.authorization == "none" then return Message { status = 401 } end
    req.headers["x-user"] = res.headers["x-user"]
  end)
  :handleMessage(function(req)
    if req.path == "/own" then return Message("own " .. #req.body) end
  end, { limit = "64k", when = function(ctx) return ctx.request.path == "/own" end })
  :forward(api)
  :handleMessageStart(function(res)
    if res.error then return Message { status = res.status, body = "Sorry: " .. res.error.code } end
  end))
