-- The upstreams that the lessons send requests to: three small servers that say who they are.
--
-- Each of them answers any path, and some in a way of its own:
--   /slow     after two seconds
--   /old      with a redirect to /new
--   /fail     with 503
--   /healthz  200, or 503 while it is sick; a POST to /sick and /well makes it so

local function server(port, greeting)
  local name = greeting .. " from " .. port
  local is_sick = false

  local special = {
    ["/slow"] = function() sleep(2) end,
    ["/old"] = function() return Message { status = 302, headers = { location = "/new" } } end,
    ["/fail"] = function() return Message { status = 503, body = name .. ": no\n" } end,
    ["/healthz"] = function() return Message { status = is_sick and 503 or 200 } end,
    ["/sick"] = function(req) is_sick = req.method == "POST" or is_sick end,
    ["/well"] = function(req) is_sick = req.method ~= "POST" and is_sick end,
  }

  listen(port):serveHTTP(function(req)
    local act = special[req.pathname:match("/[^/]*$")]
    local answer = act and act(req)
    if answer then return answer end
    if is_sick and not act then return Message { status = 503, body = name .. ": I am sick\n" } end
    local user = req.headers["x-user"]
    local whom = user and " for " .. user or ""
    return Message(name .. ": " .. req.method .. " " .. req.path .. whom .. "\n")
  end)
end

server(8080, "Hello")
server(8081, "Hi")
server(8082, "Hi")
