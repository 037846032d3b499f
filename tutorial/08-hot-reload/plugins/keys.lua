-- plugins/keys.lua
context { "route" }

return function(keys)
  if not keys then error("plugins.keys needs a table from keys to users") end
  return pipeline()
    :handleMessageStart(function(req, ctx)
      local user = keys[req.headers["x-key"]]
      if ctx.route and ctx.route.private and not user then
        return Message { status = 401, body = "Who are you?\n" }
      end
      req.headers["x-key"] = nil
      req.headers["x-user"] = user
    end)
end
