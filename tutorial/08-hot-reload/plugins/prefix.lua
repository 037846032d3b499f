-- plugins/prefix.lua
context { "route", "rest" }

return pipeline()
  :handleMessageStart(function(req, ctx)
    if ctx.route and ctx.route.prefix then
      local query = req.path:match("%?.*") or ""
      req.path = "/" .. ctx.rest .. query
    end
  end)
  :next()
  :handleMessageStart(function(res, ctx)
    local prefix, location = ctx.route and ctx.route.prefix, res.headers.location
    if prefix and location and location:sub(1, 1) == "/" then
      res.headers.location = prefix .. location
    end
  end)
