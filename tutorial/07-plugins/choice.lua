local keys = require "plugins.keys" { ["a-key-for-ann"] = "ann" }

listen(8000):demuxHTTP("web")

pipeline("web")
  :handleMessageStart(function(_, ctx)
    ctx.route = { private = true } -- what plugins.keys looks at
  end)
  :use(function(ctx)
    if ctx.request.pathname == "/public" then return {} end
    return { keys }
  end, "end")

pipeline("end")
  :replaceMessage(Message "Welcome\n")
