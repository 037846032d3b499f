-- algo.Cache: a memo with a destructor. Entries are nodes of a list, the one that leaves first at its head: in the order
-- of insertion, or of use where `size` is given.
local globals, core = ...

local error, pcall, setmetatable, type = error, pcall, setmetatable, type
local fail, describe, call_now, results = core.fail, core.describe, core.call_now, core.results
local running = coroutine.running
local may_not_wait = "a release callback may not wait"

local Cache = {}

local function link(cache, node)
  local last = cache.last
  node.previous, node.following = last, false
  if last then last.following = node else cache.first = node end
  cache.last = node
end

local function unlink(cache, node)
  local previous, following = node.previous, node.following
  if previous then previous.following = following else cache.first = following end
  if following then following.previous = previous else cache.last = previous end
end

local function release(cache, key, value)
  if cache.on_release then call_now(may_not_wait, cache.on_release, key, value) end
end

--- Takes a node out, then lets its value go: whoever looks from within the callback finds it gone.
local function drop(cache, node)
  unlink(cache, node)
  cache.nodes[node.key] = nil
  cache.count = cache.count - 1
  node.is_gone = true
  release(cache, node.key, node.value)
end

local function store(cache, key, value)
  if cache.is_closed then return release(cache, key, value) end
  local node = cache.nodes[key]
  if node then
    local old = node.value
    node.value = value
    if cache.ttl then node.expires = core.now() + cache.ttl end
    if cache.size then unlink(cache, node) link(cache, node) end
    if old ~= value then release(cache, key, old) end
    return
  end
  node = { key = key, value = value, previous = false, following = false }
  if cache.ttl then node.expires = core.now() + cache.ttl end
  cache.nodes[key] = node
  link(cache, node)
  cache.count = cache.count + 1
  if cache.size and cache.count > cache.size then drop(cache, cache.first) end
end

--- The node if it is still good; one whose time is over leaves.
local function fresh(cache, node)
  if node.expires and core.now() >= node.expires then
    drop(cache, node)
    return nil
  end
  if cache.size and node.following then unlink(cache, node) link(cache, node) end
  return node
end

--- A miss: one allocation a key, whose outcome all share who asked meanwhile.
local function fetch(cache, key)
  if key == nil then fail("Cache:get: the key is nil") end
  if not cache.on_allocate then return nil end
  local pending = cache.pending
  while true do
    if cache.is_closed then return nil, core.cancelled end
    local flight = pending[key]
    if not flight then break end
    if flight.owner == running() then fail("Cache:get: allocate asks its own cache for the key that it allocates") end
    if not flight.event then flight.event = core.event() end
    results(core.event_wait(flight.event, "Cache:get"))
    local node = cache.nodes[key]
    if node then return node.value end
    if flight.has_failed then return nil, flight.failure end
  end
  local flight = { owner = running() }
  pending[key] = flight
  local ok, value, failure = pcall(cache.on_allocate, key)
  pending[key] = nil
  if ok and value ~= nil then
    local was_closed = cache.is_closed
    store(cache, key, value)
    if was_closed then value, failure = nil, core.cancelled end
  elseif ok then
    flight.has_failed, flight.failure = true, failure
  end
  if flight.event then core.event_set(flight.event) end
  if not ok then error(value, 0) end
  return value, failure
end

--- The value of `key`, allocated when there is none; nil, err when that failed.
function Cache:get(key)
  local node = self.nodes[key]
  if node then
    if self.is_plain then return node.value end
    node = fresh(self, node)
    if node then return node.value end
  end
  return fetch(self, key)
end

--- The value of `key`, or nil: allocates nothing.
function Cache:find(key)
  local node = self.nodes[key]
  if node and not self.is_plain then node = fresh(self, node) end
  return node and node.value
end

function Cache:has(key)
  local node = self.nodes[key]
  return node ~= nil and not (node.expires and core.now() >= node.expires)
end

function Cache:set(key, value)
  if key == nil then fail("Cache:set: the key is nil") end
  if value == nil then fail("Cache:set: the value is nil; remove(key) takes an entry out") end
  store(self, key, value)
end

--- Takes an entry out; true when there was one.
function Cache:remove(key)
  local node = self.nodes[key]
  if not node then return false end
  drop(self, node)
  return true
end

--- Takes all out, the oldest first.
function Cache:clear()
  local node = self.first
  self.nodes, self.first, self.last, self.count = {}, false, false, 0
  while node do
    node.is_gone = true
    release(self, node.key, node.value)
    node = node.following
  end
end

--- for key, value in cache:each() (or pairs(cache)); entries may be taken out meanwhile.
function Cache:each()
  local node
  local is_begun = false
  return function()
    repeat
      if is_begun then node = node.following else node, is_begun = self.first, true end
    until not node or not node.is_gone
    if node then return node.key, node.value end
  end
end

setmetatable(Cache, {
  __index = function(_, name) fail("a Cache has no " .. describe(name) .. core.suggest(name, Cache)) end,
})

local metatable = {
  __index = Cache,
  __pairs = Cache.each,
  __tostring = function() return "Cache" end,
  __metatable = "Cache",
}

local known_options = { size = true, ttl = true }

function globals.algo.Cache(allocate, on_release, options)
  if allocate ~= nil then core.check_function("algo.Cache", "1 (allocate)", allocate) end
  if on_release ~= nil then core.check_function("algo.Cache", "2 (release)", on_release) end
  local size, ttl = false, false
  if options ~= nil then
    core.check_options("algo.Cache", options, known_options)
    if options.size ~= nil then
      size = options.size
      if type(size) ~= "number" or size < 1 or size % 1 ~= 0 then
        fail('algo.Cache: option "size" expects a whole number above 0, got ' .. describe(size))
      end
    end
    if options.ttl ~= nil then
      ttl = core.seconds(options.ttl)
      if not ttl or ttl <= 0 then
        fail('algo.Cache: option "ttl" expects a number of seconds or "5s" above 0, got ' .. describe(options.ttl))
      end
      if ttl == math.huge then ttl = false end
    end
  end
  local cache = setmetatable({
    nodes = {},
    pending = {},
    first = false,
    last = false,
    count = 0,
    size = size,
    ttl = ttl,
    is_plain = not size and not ttl,
    is_closed = false,
    on_allocate = allocate or false,
    on_release = on_release or false,
  }, metatable)
  if on_release then core.attach_cache(cache) end
  return cache
end

core.cache_closer(function(caches)
  for i = 1, #caches do
    caches[i].is_closed = true
    caches[i]:clear()
  end
end)
