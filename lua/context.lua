-- `ctx`. A table of a context has its number at 0 (false when it is over), its parent's table or
-- false at 1, and at 2 the client's table once that was asked for: in a session's own, and in an
-- exchange's whose client a trusted proxy named.
local globals, core = ...

local next, rawget, rawset, setmetatable, type = next, rawget, rawset, setmetatable, type
local fail, describe, suggest = core.fail, core.describe, core.suggest

--- Names that `context {…}` has declared; false as long as it was not called.
local declared = false

local client_names = { id = 1, ip = 1, port = 1, localIP = 1, localPort = 1, protocol = 1, tls = 1 }

--- A read-only view of what the engine said about a client.
local function view_of(client)
  return setmetatable({}, {
    __index = function(_, name)
      local value = client[name]
      if value == nil and not client_names[name] then
        fail("ctx.client has no " .. describe(name) .. suggest(name, client_names))
      end
      return value
    end,
    __newindex = function() fail("ctx.client is read-only") end,
    __pairs = function() return next, client end,
    __metatable = "client",
  })
end

local context_client_owner, context_client = core.context_client_owner, core.context_client

local function client_of(ctx)
  local owner = context_client_owner(ctx)
  if not owner then return nil end
  local client = rawget(owner, 2)
  if client then return client end
  client = context_client(ctx)
  if not client then return nil end
  client.tls = false
  local view = view_of(client)
  rawset(owner, 2, view)
  return view
end

--- The names that the engine answers.
local reserved = {
  session = core.context_session,
  client = client_of,
  request = core.context_request,
  response = core.context_response,
  upstream = core.context_upstream,
  elapsed = core.context_elapsed,
  key = core.context_key,
}

local function undeclared(name)
  local names = {}
  for known in next, declared do names[known] = true end
  for known in next, reserved do names[known] = true end
  fail("ctx has no " .. describe(name) .. suggest(name, names) .. " (context {…} declares the names of ctx)")
end

--- What lies further up than the parent. Apart from `index`, because a loop inside it would keep LuaJIT from
--- compiling what reads a name of the session.
local function inherited(ancestor, name)
  while ancestor do
    local value = rawget(ancestor, name)
    if value ~= nil then return value end
    ancestor = ancestor[1]
  end
  if declared and not declared[name] then undeclared(name) end
end

local function index(ctx, name)
  local get = reserved[name]
  if get then
    if not ctx[0] then fail("ctx." .. name .. ": what this ctx stood for is over") end
    return get(ctx)
  end
  local parent = ctx[1]
  if parent then
    local value = rawget(parent, name)
    if value ~= nil then return value end
    parent = parent[1]
  end
  if parent or declared then return inherited(parent, name) end
end

local function newindex(ctx, name, value)
  if reserved[name] then fail("ctx." .. name .. " is read-only") end
  if declared and not declared[name] then undeclared(name) end
  rawset(ctx, name, value)
end

local function own_names(ctx)
  return function(_, last)
    local name, value = next(ctx, last)
    while type(name) == "number" and name <= 2 and name >= 0 do name, value = next(ctx, name) end
    return name, value
  end
end

core.context_metatable {
  __index = index,
  __newindex = newindex,
  __pairs = own_names,
  __tostring = function() return "ctx" end,
  __metatable = "ctx",
}

--- Declares names of `ctx`; calls add up.
function globals.context(names)
  if type(names) ~= "table" then fail("context: expects a list of names, got " .. describe(names)) end
  if not core.is_loading() then fail("context: names are declared at the top of a file") end
  declared = declared or {}
  for i, name in next, names do
    if type(i) ~= "number" then
      local listed = describe(type(i) == "string" and i or "target")
      fail("context: names are listed, as in context { " .. listed .. " }; got the key " .. describe(i))
    end
    if type(name) ~= "string" then
      fail("context: expects a list of names, such as context { \"target\" }, got " .. describe(name))
    end
    if reserved[name] then fail("context: " .. describe(name) .. " is a name of the engine's own") end
    declared[name] = true
  end
end
