-- plugins/headers.lua
return function(headers)
  return pipeline()
    :next()
    :handleMessageStart(function(res)
      for name, value in pairs(headers or {}) do res.headers[name] = value end
    end)
end
