-- main.lua
listen(8000):serveHTTP(function(req)
  if req.pathname == "/" then return Message "Hello\n" end
  if req.pathname == "/echo" then return Message(req.body) end
  return Message { status = 404, body = "There is no " .. req.pathname .. "\n" }
end)
