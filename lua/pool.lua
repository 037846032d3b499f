-- algo.ResourcePool: the rules are the engine's (algo::PoolPolicy, by way of pool_… primitives),
-- the resources and the callbacks are here, because callbacks may wait. The primitives know
-- resources and keys by number.
local globals, core = ...

local error, pcall, setmetatable, type = error, pcall, setmetatable, type
local fail, describe, call_now = core.fail, core.describe, core.call_now
local pool_lease, pool_release, pool_replace = core.pool_lease, core.pool_release, core.pool_replace
local pool_commit, pool_abort = core.pool_commit, core.pool_abort
local pool_closed, pool_vacant = core.pool_closed, core.pool_vacant

local may_not_wait = "a destroy callback may not wait"

-- What a lease came to.
local LEASED, VALIDATE, ALLOCATE = 1, 2, 3

local Pool = {}

--- The method was called of something that is no pool: with a dot, mostly.
local function no_pool(name, self)
  fail("ResourcePool:" .. name .. ": call it with a colon, on what algo.ResourcePool gave, not on " .. describe(self))
end

local function check_pool(name, self)
  if type(self) ~= "table" or not self.box then no_pool(name, self) end
end

--- Lets go of what has left the pool: resources are destroyed, keys without any are forgotten.
local function settle(pool)
  local box, resources, destroy = pool.box, pool.resources, pool.destroy
  local number, key_number, reason = pool_closed(box)
  while number do
    local resource = resources[number]
    resources[number] = nil
    pool.numbers[resource] = nil
    if destroy then call_now(may_not_wait, destroy, pool.keys[key_number], resource, reason) end
    number, key_number, reason = pool_closed(box)
  end
  key_number = pool_vacant(box)
  while key_number do
    pool.key_numbers[pool.keys[key_number]] = nil
    pool.keys[key_number] = nil
    key_number = pool_vacant(box)
  end
end

local function key_number_of(pool, key)
  local number = pool.key_numbers[key]
  if number then return number end
  if key == nil or key ~= key then fail("ResourcePool: a key is expected, got " .. describe(key)) end
  number = core.pool_key(pool.box)
  pool.key_numbers[key] = number
  pool.keys[number] = key
  return number
end

--- Goes on from what a lease came to, until there is a resource or a failure.
local function obtain(pool, key, was_cancelled, outcome, number, has_left)
  if was_cancelled then error(core.cancelled, 0) end
  while true do
    if has_left then settle(pool) end
    if outcome == LEASED then
      return pool.resources[number]
    elseif outcome == VALIDATE then
      local resource = pool.resources[number]
      local ok, verdict = pcall(pool.validate, key, resource)
      if not ok then
        local _, left = pool_release(pool.box, number, true)
        if left then settle(pool) end
        error(verdict, 0)
      end
      if verdict ~= false then return resource end
      outcome, number, has_left = pool_replace(pool.box, number)
    elseif outcome == ALLOCATE then
      local ok, resource, failure = pcall(pool.create, key)
      local is_taken = ok and resource ~= nil and pool.numbers[resource]
      if not ok or resource == nil or is_taken then
        if pool_abort(pool.box, number) then settle(pool) end
        if not ok then error(resource, 0) end
        if is_taken then
          fail("ResourcePool: allocate gave " .. describe(resource)
            .. ", which the pool has already; each resource is one of its own")
        end
        return nil, failure
      end
      local left
      number, left = pool_commit(pool.box, number)
      pool.resources[number] = resource
      pool.numbers[resource] = number
      if left then settle(pool) end
      return resource
    else
      return nil, core.pool_error(number)
    end
  end
end

--- Leases a resource of `key`; waits when a limit is reached. Waiters of one key take turns by `tenant`.
function Pool:allocate(key, tenant)
  if type(self) ~= "table" or not self.box then no_pool("allocate", self) end
  return obtain(self, key, pool_lease(self.box, self.key_numbers[key] or key_number_of(self, key), tenant))
end

--- Gives a resource back; with the verdict "discard" it is destroyed.
function Pool:free(resource, verdict)
  if type(self) ~= "table" or not self.box then no_pool("free", self) end
  local number = self.numbers[resource]
  if not number then fail("ResourcePool:free: the pool does not have " .. describe(resource)) end
  if verdict ~= nil and verdict ~= "discard" then
    fail('ResourcePool:free: argument 2 (verdict) expects "discard" or nothing, got ' .. describe(verdict))
  end
  local was_leased, has_left = pool_release(self.box, number, verdict == "discard")
  if not was_leased then fail("ResourcePool:free: " .. describe(resource) .. " is free already") end
  if has_left then settle(self) end
end

--- How often a resource was leased, this time included; nil when the pool does not have it.
function Pool:uses(resource)
  check_pool("uses", self)
  local number = self.numbers[resource]
  return number and core.pool_uses(self.box, number)
end

--- Numbers of one key or of all.
function Pool:stats(key)
  check_pool("stats", self)
  if key == nil then return core.pool_stats(self.box) end
  return core.pool_stats(self.box, self.key_numbers[key] or 0)
end

--- Destroys what is idle now and what is leased once it is freed; allocate gives `draining`: for a key until
--- the last of it is gone, for all until reopen().
function Pool:drain(key)
  check_pool("drain", self)
  if key == nil then
    if core.pool_drain(self.box) then settle(self) end
  elseif self.key_numbers[key] then
    if core.pool_drain(self.box, self.key_numbers[key]) then settle(self) end
  end
end

function Pool:reopen()
  check_pool("reopen", self)
  core.pool_reopen(self.box)
end

local key_options = { max = true, order = true, idleTimeout = true, ttl = true, maxUses = true }
local pool_options = {
  max = true, order = true, idleTimeout = true, ttl = true, maxUses = true,
  total = true, queue = true, queueTimeout = true, validate = true, destroy = true,
}

local function read_count(name, option, value)
  if type(value) ~= "number" or value < 0 or value % 1 ~= 0 then
    fail(name .. ': option "' .. option .. '" expects a whole number, got ' .. describe(value))
  end
  return value
end

local function read_time(name, option, value)
  local seconds = core.seconds(value)
  if not seconds then
    fail(name .. ': option "' .. option .. '" expects a number of seconds or "5s", got ' .. describe(value))
  end
  return seconds
end

--- Options as the primitives take them, over `rules`.
local function read_rules(name, options, rules)
  for _, option in ipairs { "max", "maxUses", "total", "queue" } do
    if options[option] ~= nil then rules[option] = read_count(name, option, options[option]) end
  end
  for _, option in ipairs { "ttl", "queueTimeout" } do
    if options[option] ~= nil then rules[option] = read_time(name, option, options[option]) end
  end
  if options.idleTimeout == false then
    rules.idleMax, rules.idleTimeout = 0, nil
  elseif options.idleTimeout ~= nil then
    rules.idleMax, rules.idleTimeout = nil, read_time(name, "idleTimeout", options.idleTimeout)
  end
  if options.order ~= nil then
    if options.order ~= "lifo" and options.order ~= "fifo" then
      fail(name .. ': option "order" expects "lifo" or "fifo", got ' .. describe(options.order))
    end
    rules.order = options.order
  end
  return rules
end

--- Gives one key limits of its own, those left out being the pool's; without options it has the pool's again.
function Pool:set(key, options)
  check_pool("set", self)
  local rules
  if options ~= nil then
    core.check_options("ResourcePool:set", options, key_options)
    rules = {}
    for name, value in next, self.rules do rules[name] = value end
    read_rules("ResourcePool:set", options, rules)
  end
  local has_left, problem = core.pool_set(self.box, key_number_of(self, key), rules)
  if problem then fail("ResourcePool:set: " .. problem) end
  if has_left then settle(self) end
end

setmetatable(Pool, {
  __index = function(_, name)
    fail("a ResourcePool has no " .. describe(name) .. core.suggest(name, Pool))
  end,
})

local metatable = {
  __index = Pool,
  __tostring = function() return "ResourcePool" end,
  __metatable = "ResourcePool",
}

-- The pool of a primitive's timer, and all there are, as long as scripts keep them.
local pools = setmetatable({}, { __mode = "v" })

function globals.algo.ResourcePool(allocate, options)
  core.check_function("algo.ResourcePool", "1 (allocate)", allocate)
  options = options == nil and {} or options
  core.check_options("algo.ResourcePool", options, pool_options)
  for _, option in ipairs { "validate", "destroy" } do
    if options[option] ~= nil and type(options[option]) ~= "function" then
      local got = describe(options[option])
      fail('algo.ResourcePool: option "' .. option .. '" expects a function, got ' .. got)
    end
  end
  local rules = read_rules("algo.ResourcePool", options, {})
  rules.validates = options.validate ~= nil
  local box, address = core.pool_make(rules)
  if not box then fail("algo.ResourcePool: " .. address) end
  local pool = setmetatable({
    box = box,
    rules = rules,
    create = allocate,
    validate = options.validate or false,
    destroy = options.destroy or false,
    resources = {}, -- by number
    numbers = {}, -- by resource
    keys = {}, -- by number
    key_numbers = {}, -- by key
  }, metatable)
  pools[address] = pool
  return pool
end

-- Called by the engine: (address) when time has taken something out of a pool, () when the script ends.
core.pool_settler(function(address)
  if address then
    if pools[address] then settle(pools[address]) end
    return
  end
  for _, pool in next, pools do pool:drain() end
end)
