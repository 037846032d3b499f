-- shared: dictionaries that all workers see. Bytes and numbers lie in the engine; what is a table or a
-- message here is bytes there.
local globals, core = ...

local fail, describe, seconds, encode, decode = core.fail, core.describe, core.seconds, core.encode, core.decode
local ipairs, pcall, setmetatable, type = ipairs, pcall, setmetatable, type
local huge, bytes_max = math.huge, core.shared_bytes_max
local get, put, count = core.shared_get, core.shared_put, core.shared_count
local Message = globals.Message

-- As algo::SharedValue::kind.
local NUMBER, STRING, BOOLEAN, TABLE, MESSAGE = 1, 2, 3, 4, 5

local methods = {}
local handles = setmetatable({}, { __mode = "k" })
local class = {
  __index = function(_, name)
    return methods[name] or fail("a shared dictionary has no " .. describe(name) .. core.suggest(name, methods)
      .. "; values are read by get(key)")
  end,
  __newindex = function(_, name)
    fail("a shared dictionary is written by set(key, value), not by ." .. tostring(name) .. " = …")
  end,
  __metatable = "shared",
}

local function handle_of(self, method)
  return handles[self] or fail("shared:" .. method .. ": write dictionary:" .. method .. "(…), with a colon")
end

local function check_key(method, key)
  if type(key) ~= "string" then
    fail("shared:" .. method .. ": argument 1 (key) expects a string, got " .. describe(key))
  end
end

local time_options = { ttl = true, stale = true }

--- ttl and stale in seconds.
local function times_of(method, options)
  if options == nil then return huge, 0 end
  core.check_options("shared:" .. method, options, time_options)
  local ttl, stale = huge, 0
  if options.ttl ~= nil then
    ttl = seconds(options.ttl)
    if not ttl or ttl <= 0 then
      fail("shared:" .. method .. ": option \"ttl\" expects a time above 0, got " .. describe(options.ttl))
    end
  end
  if options.stale ~= nil then
    stale = seconds(options.stale)
    if not stale then
      fail("shared:" .. method .. ": option \"stale\" expects a time, got " .. describe(options.stale))
    end
  end
  return ttl, stale
end

-- What the engine writes by itself where a message goes out.
local framing = { ["content-length"] = true, ["transfer-encoding"] = true }

local function parts_of(message)
  local headers = {}
  for name, value in message.headers:each() do
    if not framing[name:lower()] then headers[#headers + 1] = { name, value } end
  end
  return {
    method = message.method, path = message.path, status = message.status, reason = message.reason,
    headers = headers, body = message.body,
  }
end

local function message_of(parts)
  local headers = parts.headers
  parts.headers = nil
  local message = Message(parts)
  for _, field in ipairs(headers) do message.headers:add(field[1], field[2]) end
  return message
end

core.message_parts, core.message_of = parts_of, message_of

--- The kind of a value and what is stored of it.
local function packed(method, value)
  local kind = type(value)
  if kind == "number" then return NUMBER, value end
  if kind == "string" then return STRING, value end
  if kind == "boolean" then return BOOLEAN, value and 1 or 0 end
  if core.is_message(value) then return MESSAGE, encode(parts_of(value), bytes_max) end
  if kind == "table" then
    local is_plain, bytes = pcall(encode, value, bytes_max)
    if is_plain then return TABLE, bytes end
    fail("shared:" .. method .. ": the table cannot be kept, only plain data can (booleans, numbers, strings and "
      .. "tables of them): " .. bytes)
  end
  fail("shared:" .. method .. ": argument 2 (value) expects a boolean, a number, a string, a Message or a table of "
    .. "plain data, got " .. describe(value))
end

--- What is under the key, and for how many seconds yet it is fresh; negative: it is stale.
function methods:get(key)
  local handle = handle_of(self, "get")
  check_key("get", key)
  local kind, stored, fresh_for = get(handle, key)
  if kind == nil then return nil end
  if kind == BOOLEAN then stored = stored == 1
  elseif kind == TABLE then stored = decode(stored)
  elseif kind == MESSAGE then stored = message_of(decode(stored)) end
  return stored, fresh_for
end

--- Puts a value in the place of any other. True, or nil and an error when it is too large.
function methods:set(key, value, options)
  local handle = handle_of(self, "set")
  check_key("set", key)
  local kind, stored = packed("set", value)
  return put(handle, key, kind, stored, false, times_of("set", options))
end

--- Puts a value only where no fresh one is: true or false, or nil and an error when it is too large.
function methods:add(key, value, options)
  local handle = handle_of(self, "add")
  check_key("add", key)
  local kind, stored = packed("add", value)
  return put(handle, key, kind, stored, true, times_of("add", options))
end

--- Adds to a number, which begins at 0, in one step for all workers, and gives the sum.
function methods:incr(key, by, options)
  local handle = handle_of(self, "incr")
  check_key("incr", key)
  if by == nil then by = 1 end
  if type(by) ~= "number" or by ~= by or by == huge or by == -huge then
    fail("shared:incr: argument 2 (by) expects a number, got " .. describe(by))
  end
  local sum = count(handle, key, by, times_of("incr", options))
  if sum == nil then fail("shared:incr: the value of " .. describe(key) .. " is no number") end
  return sum
end

--- Whether there was a value.
function methods:remove(key)
  local handle = handle_of(self, "remove")
  check_key("remove", key)
  return core.shared_remove(handle, key)
end

--- The keys, in no order, at most `limit` (1000).
function methods:keys(limit)
  local handle = handle_of(self, "keys")
  if limit == nil then limit = 1000 end
  if type(limit) ~= "number" or limit < 0 or limit % 1 ~= 0 then
    fail("shared:keys: argument 1 (limit) expects a whole number of at least 0, got " .. describe(limit))
  end
  return core.shared_keys(handle, limit)
end

--- The dictionary of this name, the same for all workers and files; it outlives the script.
function globals.shared(name, options)
  if type(name) ~= "string" or name == "" then
    fail("shared: argument 1 (name) expects a name, got " .. describe(name))
  end
  local size
  if options ~= nil then
    core.check_options("shared", options, { size = true })
    if options.size ~= nil then
      size = core.bytes(options.size)
      if not size or size < core.shared_bytes_min then
        fail("shared: option \"size\" expects bytes or \"64m\", at least \"64k\", got " .. describe(options.size))
      end
    end
  end
  local dictionary = setmetatable({}, class)
  handles[dictionary] = core.shared_open(name, size)
  return dictionary
end
