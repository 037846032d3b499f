-- A listener with short limits in front of upstreams of every kind. What follows a dollar sign the soak fills
-- in.
local odd = {
  mute = "127.0.0.1:$mute",
  resets = "127.0.0.1:$resets",
  endless = "127.0.0.1:$endless",
  tunnel = "127.0.0.1:$tunnel",
  trickle = "127.0.0.1:$trickle",
}

local own = { echo = "echo", wait = "wait", bulk = "bulk", huge = "huge", big = "shared", a = "shared" }

listen("0.0.0.0:$hard", { headTimeout = 3, readTimeout = 1, minBodyRate = "1k", writeTimeout = 2, idleTimeout = 8 })
  :demuxHTTP("web")

pipeline("web")
  :handleMessageStart(function(req, ctx)
    ctx.kind = req.pathname:match("^/(%w+)") or "plain"
  end)
  :route(function(ctx)
    if odd[ctx.kind] then return "odd" end
    return own[ctx.kind] or "plain"
  end)

pipeline("plain")
  :muxHTTP("second", function() return "second" end, { maxSessions = 64, pipelining = 4 })

-- Few connections for many requests whose clients stop reading.
pipeline("shared")
  :muxHTTP("second", function() return "shared" end, { maxSessions = 8, pipelining = 4 })

-- Slow readers take these; those above stay free for others.
pipeline("bulk")
  :muxHTTP("second", function() return "bulk" end, { maxSessions = 128 })

-- More than anybody reads, from an upstream that is always quicker than its reader.
pipeline("huge")
  :muxHTTP("first", function() return "huge" end, { maxSessions = 64 })

pipeline("first"):connect("127.0.0.1:$first", { connectTimeout = 2 })
pipeline("second"):connect("127.0.0.1:$second", { connectTimeout = 2 })

pipeline("odd")
  :muxHTTP("strange", function(ctx) return ctx.kind end, { maxSessions = 256, pipelining = 2 })

pipeline("strange")
  :connect(function(ctx) return odd[ctx.key] end, { readTimeout = 1 })

pipeline("echo")
  :replaceMessage(function(req) return Message { body = req.body } end)

-- Waits in Lua, and asks an upstream of its own.
pipeline("wait")
  :handleMessageBody(function() sleep(0.02) end)
  :replaceMessage(function(req)
    local res, err = http.get("http://127.0.0.1:$first" .. req.path)
    if not res then return Message { status = 502, body = err.code } end
    return Message { body = res.body }
  end)
