-- An answer from the script, made anew for each request.
listen(8000):serveHTTP(function()
  return Message { headers = { ["content-type"] = "text/plain" }, body = "hello" }
end)
