-- algo.Cache: a memo with a destructor. Lua alone: a hit is one table read and costs no call into C.
--
-- A value that was stored leaves in exactly one of these ways, and each calls release(key, value) once:
-- remove, overwrite, eviction, expiry, clear, close. An entry is out of the cache before its release is
-- called, so a release may use the cache, and whatever it raises is reported and stops nothing. Two gets
-- of one missing key share one call of allocate: the first calls it, the others wait for the first.
--
-- The engine's side is a table `host`, which scripts cannot reach:
--   now()          seconds, of a clock that never goes back
--   wait(ticket)   suspends the running coroutine until wake(ticket); raises when the wait is cancelled
--   wake(ticket)   lets go on all who wait for this ticket
--   call(fn, ...)  pcall with waiting forbidden inside
--   report(err)    logs what a release raised
--   adopt(cache)   a cache was made: call its close when the session, or the script, ends
--   describe(v)    a value in words, for messages
--   suggest(word, names)   "; did you mean …?" or ""; the names are keys
--   cancelled      the error value of a get on a closed cache
--   duration(v)    seconds from a number or "5s"; nil when it is neither

local cache = {}
local host

local option_names = { size = true, ttl = true }

local function wrong(what, value)
  error("algo.Cache: " .. what .. ", got " .. host.describe(value), 4)
end

local function check_options(options)
  if options == nil then return false, false end
  if type(options) ~= "table" then wrong("options (argument 3) expects a table", options) end
  for name in pairs(options) do
    if not option_names[name] then
      error("algo.Cache: unknown option " .. host.describe(name) .. host.suggest(name, option_names), 3)
    end
  end
  local size, ttl = options.size, options.ttl
  if size ~= nil and (type(size) ~= "number" or size ~= size or size < 1) then
    wrong('option "size" expects a number of at least 1; leave it out for no limit', size)
  end
  if ttl ~= nil then
    ttl = host.duration(ttl)
    if not ttl or ttl ~= ttl or ttl <= 0 then
      local expectation = 'option "ttl" expects a number of seconds or "5s" above 0; else leave it out'
      wrong(expectation, options.ttl)
    end
  end
  return size or false, ttl or false
end

local function check_key(key, name)
  if key == nil then error("Cache:" .. name .. ": the key is nil", 3) end
  if key ~= key then error("Cache:" .. name .. ": the key is not a number (NaN)", 3) end
end

-- Entries stand in two lists. By insertion: `after` and `before`; by use, when there is a size: `newer`
-- and `older`.

local function link_newest(self, entry)
  local newest = self.newest
  entry.older, entry.newer = newest, nil
  if newest then newest.newer = entry else self.oldest = entry end
  self.newest = entry
end

local function unlink_use(self, entry)
  local newer, older = entry.newer, entry.older
  if newer then newer.older = older else self.newest = older end
  if older then older.newer = newer else self.oldest = newer end
end

local function touch(self, entry)
  if self.newest ~= entry then
    unlink_use(self, entry)
    link_newest(self, entry)
  end
end

local function unlink(self, entry)
  self.entries[entry.key] = nil
  self.count = self.count - 1
  local after, before = entry.after, entry.before
  if before then before.after = after else self.first = after end
  if after then after.before = before else self.last = before end
  if self.size then unlink_use(self, entry) end
end

local function let_go(self, key, value)
  if not self.release then return end
  local ok, err = host.call(self.release, key, value)
  if not ok then host.report(err) end
end

local function drop(self, entry)
  unlink(self, entry)
  let_go(self, entry.key, entry.value)
end

local function insert(self, key, value)
  local last = self.last
  local entry = { key = key, value = value, before = last }
  if self.ttl then entry.expires = host.now() + self.ttl end
  if last then last.after = entry else self.first = entry end
  self.last = entry
  self.entries[key] = entry
  self.count = self.count + 1
  if self.size then
    link_newest(self, entry)
    while self.count > self.size do drop(self, self.oldest) end
  end
end

-- The entry of a key, if it is there and alive; an expired one is released here.
local function lookup(self, key)
  local entry = self.entries[key]
  if not entry then return nil end
  if entry.expires and host.now() >= entry.expires then
    drop(self, entry)
    -- The release may have stored another one.
    return self.entries[key]
  end
  return entry
end

-- Stores what an allocation brought, and returns what the key has then.
local function commit(self, key, value)
  if self.is_closed then
    let_go(self, key, value)
    return nil, host.cancelled
  end
  local entry = lookup(self, key)
  if entry then
    -- Somebody set the key in the meantime: that is newer, and theirs.
    if not rawequal(entry.value, value) then let_go(self, key, value) end
    return entry.value
  end
  insert(self, key, value)
  return value
end

local function fill(self, key)
  local allocate = self.allocate
  if not allocate then return nil end
  local flights = self.flights
  local flight = flights[key]
  local me = coroutine.running() or self

  while flight do
    if flight.owner == me then error("Cache:get: the allocation of this key asks for the key itself", 2) end
    flight.has_waiters = true
    host.wait(flight)
    if flight.is_done then
      -- Not what the flight brought but what the key has now: that value may have left again.
      if flight.err ~= nil or flight.is_empty then return nil, flight.err end
      local entry = lookup(self, key)
      if entry then return entry.value end
    end
    if self.is_closed then return nil, host.cancelled end
    -- The first one was cancelled or raised: that is its own misfortune, the next one tries anew.
    flight = flights[key]
  end

  flight = { owner = me }
  flights[key] = flight
  local ok, value, err = pcall(allocate, key)
  flights[key] = nil
  flight.is_done = ok
  if not ok then
    if flight.has_waiters then host.wake(flight) end
    error(value, 0)
  end
  if value == nil then
    flight.err, flight.is_empty = err, true
  else
    value, err = commit(self, key, value)
  end
  if flight.has_waiters then host.wake(flight) end
  return value, err
end

-- Fields that may be absent read as false: what the class does not have is an error where scripts ask for it.
local Cache = { first = false, last = false, newest = false, oldest = false }
Cache.__index = Cache

-- A method was called of something that is no cache: with a dot, mostly.
local function check_cache(name, self)
  if type(self) ~= "table" or rawget(self, "entries") == nil then
    error("Cache:" .. name .. ": call it with a colon, on what algo.Cache gave", 3)
  end
end

function Cache:get(key)
  if type(self) ~= "table" or not rawget(self, "entries") then check_cache("get", self) end
  local entry = self.entries[key]
  if entry then
    if not entry.expires then
      if self.size then touch(self, entry) end
      return entry.value
    end
    entry = lookup(self, key)
    if entry then
      if self.size then touch(self, entry) end
      return entry.value
    end
  end
  check_key(key, "get")
  if self.is_closed then return nil, host.cancelled end
  return fill(self, key)
end

function Cache:find(key)
  check_cache("find", self)
  local entry = lookup(self, key)
  if not entry then return nil end
  if self.size then touch(self, entry) end
  return entry.value
end

function Cache:has(key)
  check_cache("has", self)
  return lookup(self, key) ~= nil
end

function Cache:set(key, value)
  check_cache("set", self)
  check_key(key, "set")
  if value == nil then error("Cache:set: the value is nil; use remove", 2) end
  if self.is_closed then return let_go(self, key, value) end
  local entry = self.entries[key]
  if entry and rawequal(entry.value, value) then
    -- The same thing again lives on: releasing it would leave a dead one in the cache.
    if self.ttl then entry.expires = host.now() + self.ttl end
    if self.size then touch(self, entry) end
    return
  end
  while entry do
    drop(self, entry)
    entry = self.entries[key]
  end
  insert(self, key, value)
end

function Cache:remove(key)
  check_cache("remove", self)
  local entry = lookup(self, key)
  if not entry then return false end
  drop(self, entry)
  return true
end

function Cache:clear()
  check_cache("clear", self)
  local entry = self.first
  self.entries, self.count = {}, 0
  self.first, self.last, self.newest, self.oldest = nil, nil, nil, nil
  while entry do
    let_go(self, entry.key, entry.value)
    entry = entry.after
  end
end

function Cache:each()
  check_cache("each", self)
  local now = self.ttl and host.now()
  local entries, count = {}, 0
  local entry = self.first
  while entry do
    if not now or now < entry.expires then
      count = count + 1
      entries[count] = entry
    end
    entry = entry.after
  end
  local at = 0
  return function()
    while at < count do
      at = at + 1
      local here = entries[at]
      if self.entries[here.key] == here then return here.key, here.value end
    end
  end
end

Cache.__pairs = Cache.each

-- For the engine: the last clear. What an allocation brings from now on is released at once, and a get
-- gives nil and host.cancelled.
function Cache:close()
  self.is_closed = true
  self:clear()
end

--- The class, for who has to say what it does not have.
cache.class = Cache

--- Makes the function that scripts know as algo.Cache.
function cache.constructor(engine)
  host = engine
  return function(allocate, release, options)
    -- A cache that releases nothing may have its options in that place.
    if type(release) == "table" and options == nil then release, options = nil, release end
    if allocate ~= nil and type(allocate) ~= "function" then
      local instead = type(allocate) == "table" and "; options stand behind it: algo.Cache(nil, { … })" or ""
      error("algo.Cache: allocate (argument 1) expects a function, got " .. host.describe(allocate) .. instead, 2)
    end
    if release ~= nil and type(release) ~= "function" then
      error("algo.Cache: release (argument 2) expects a function, got " .. host.describe(release), 2)
    end
    local size, ttl = check_options(options)
    local self = setmetatable({
      allocate = allocate or false, release = release or false, size = size, ttl = ttl,
      entries = {}, flights = {}, count = 0, is_closed = false,
    }, Cache)
    host.adopt(self)
    return self
  end
end

return cache
