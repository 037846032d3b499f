-- What the other files of the library stand on. Each is called with the globals of scripts, the
-- engine's primitives (`core`, to which files add what they share) and the metatable-to-be of the
-- scripts' own globals.
local globals, core, environment = ...

local error, next, rawget, select, setmetatable, tostring, type =
  error, next, rawget, select, setmetatable, tostring, type
local raw_pairs, concat, xpcall = pairs, table.concat, xpcall
local fail, cancelled = core.fail, core.cancelled

--- What a primitive that may suspend has given: raises `cancelled`, or passes the results on.
local function results(was_cancelled, ...)
  if was_cancelled then error(cancelled, 0) end
  return ...
end
core.results = results

--- Checks the options of a library function. `known` maps names to true.
function core.check_options(name, options, known)
  if type(options) ~= "table" then
    fail(name .. ": options are a table, got " .. core.describe(options))
  end
  for option in next, options do
    if not known[option] then
      fail(name .. ": unknown option " .. core.describe(option) .. core.suggest(option, known))
    end
  end
end

function core.check_function(name, position, value)
  if type(value) ~= "function" then
    fail(name .. ": argument " .. position .. " expects a function, got " .. core.describe(value))
  end
end

--- pairs honours __pairs, which LuaJIT does not by itself.
function globals.pairs(value)
  local metatable = core.metatable_of(value)
  local iterate = metatable and metatable.__pairs
  if iterate then return iterate(value) end
  return raw_pairs(value)
end

function globals.print(...)
  local words = { ... }
  for i = 1, select("#", ...) do words[i] = tostring(words[i]) end
  globals.log.info(concat(words, " "))
end

local modules, loading = {}, {}
core.modules = modules

-- In the place of nothing: who uses what a module did not return is told so, there.
local silent = {}

--- Whether a module returned nothing.
function core.is_silent(module) return core.metatable_of(module) == silent end

function silent.__index(module) fail(rawget(module, 1)) end
silent.__newindex, silent.__call, silent.__metatable = silent.__index, silent.__index, "module"
silent.__tostring = function() return "a module that returned nothing" end

local function nothing_of(name, who)
  return setmetatable({
    "module " .. core.describe(name) .. " (" .. core.place() .. ": " .. who
      .. ") returns nothing; end its file with: return …"
  }, silent)
end

--- Runs a module once and returns what it returned, or something that is of no use. `who` asks.
function core.load_module(name, who)
  local module = modules[name]
  if module ~= nil then return module end
  if loading[name] then
    fail(who .. ": module " .. core.describe(name) .. " requires itself, directly or through others")
  end
  local chunk, failure = core.find_module(name, who)
  if not chunk then error(failure, 0) end
  loading[name] = true
  local ok, result = xpcall(chunk, core.describe_with_frames, name)
  loading[name] = nil
  if not ok then error(result, 0) end
  if result == nil then result = nothing_of(name, who) end
  modules[name] = result
  return result
end

--- Runs a module once and returns what it returned.
function globals.require(name) return core.load_module(name, "require") end

-- Plain data as bytes, LuaJIT's own way (string.buffer), which writes a table again wherever it is met: thirty
-- tables can be as much as a thousand million. So it is measured first, roughly, and never much more than
-- `bytes_max` is looked at.
local encode = core.encode
local depth_max = 200 -- string.buffer refuses less

local function room_behind(value, room, depth)
  local kind = type(value)
  if kind == "string" then return room - #value - 1 end
  if kind ~= "table" or depth > depth_max then return room - 1 end
  room = room - 4
  for key, field in next, value do
    room = room_behind(field, room_behind(key, room, depth + 1), depth + 1)
    if room < 0 then return room end
  end
  return room
end

--- Errors: what is no plain data, and what has more bytes.
function core.encode(value, bytes_max)
  if room_behind(value, bytes_max, 0) >= 0 then
    local is_plain, bytes = pcall(encode, value)
    if not is_plain then error((bytes:gsub("^perilune/[^:]*:%d+: ", "")), 0) end -- our place is nobody's
    if #bytes <= bytes_max then return bytes end
  end
  error("it is larger than " .. bytes_max .. " bytes", 0)
end

-- The globals of scripts, which are compared with what they use when they are loaded. The library itself is not.
setmetatable(globals, { __index = function(_, name) error("no global " .. tostring(name), 2) end })
setmetatable(environment, { __index = globals, __metatable = "globals" })
