-- The upstreams that the lessons send requests to: two small servers that say who they are.

listen(8080):serveHTTP(function(req)
  return Message("Hello from 8080: " .. req.method .. " " .. req.path .. "\n")
end)

listen(8081):serveHTTP(function(req)
  return Message("Hi from 8081: " .. req.method .. " " .. req.path .. "\n")
end)
