-- router:find, as compiled code calls it: by FFI, without a call through the Lua stack.
local _, core = ...

local setmetatable, type = setmetatable, type
local access, ffi = core.router_access, core.ffi
local ffi_string = ffi.string

ffi.cdef("struct router_match { const char *rest; size_t rest_size; };")

local find_route = ffi.cast(
  "int (*)(const void *, const char *, uint32_t, const char *, uint32_t, struct router_match *)", access.find_route)
local match = ffi.new("struct router_match")

--- The values and patterns of the routers that were asked before, whose box keeps them: route n at 2 n + 1 and
--- 2 n + 2. What is not in it was not seen to be a router yet.
local routes_of = setmetatable({}, { __mode = "kv" })

local methods = access.methods
local other_find = methods.find

-- All arguments as they come: "got nothing" and "got nil" are different mistakes.
function methods.find(...)
  local router, host, path = ...
  local routes = routes_of[router]
  if routes and type(path) == "string" and (host == nil or type(host) == "string") then
    local route = find_route(router, host, host and #host or 0, path, #path, match)
    if route < 0 then return nil end
    return routes[2 * route + 1], ffi_string(match.rest, match.rest_size), routes[2 * route + 2]
  end
  routes = access.routes(router)
  if routes then routes_of[router] = routes end
  return other_find(...)
end
