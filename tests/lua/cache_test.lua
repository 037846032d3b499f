-- lua/cache.lua on a host of its own: a clock that stands still and coroutines run by hand.

local cache = require "cache"

local clock, sleepers, reports, adopted, may_wait
local log

local host = {
  now = function() return clock end,
  wait = function(ticket)
    assert(may_wait, "waits where it must not")
    sleepers[#sleepers + 1] = { ticket = ticket, thread = coroutine.running() }
    local answer = coroutine.yield()
    if answer == "cancel" then error("cancelled", 0) end
  end,
  wake = function(ticket)
    for _, sleeper in ipairs(sleepers) do
      if sleeper.ticket == ticket then sleeper.is_awake = true end
    end
  end,
  call = function(fn, ...)
    local before = may_wait
    may_wait = false
    local ok, err = pcall(fn, ...)
    may_wait = before
    return ok, err
  end,
  report = function(err) reports[#reports + 1] = err end,
  adopt = function(made) adopted[#adopted + 1] = made end,
  describe = tostring,
  suggest = function(word, known) return known.size and "; size or ttl?" or "" end,
  cancelled = { code = "cancelled" },
  duration = function(value)
    if value == "5s" then return 5 end
    return tonumber(value)
  end,
}
local Cache = cache.constructor(host)

-- Runs fn as a hook; returns a table that gets what it returned or raised.
local function start(fn, ...)
  local hook = {}
  hook.thread = coroutine.create(function(...)
    local result = { pcall(fn, ...) }
    hook.is_over, hook.ok, hook.value, hook.err = true, result[1], result[2], result[3]
  end)
  assert(coroutine.resume(hook.thread, ...))
  return hook
end

-- Lets those go on who were woken, until nobody is.
local function settle()
  local found = true
  while found do
    found = false
    for i, sleeper in ipairs(sleepers) do
      if sleeper.is_awake then
        table.remove(sleepers, i)
        assert(coroutine.resume(sleeper.thread))
        found = true
        break
      end
    end
  end
end

local function cancel(hook)
  for i, sleeper in ipairs(sleepers) do
    if sleeper.thread == hook.thread then
      table.remove(sleepers, i)
      return assert(coroutine.resume(hook.thread, "cancel"))
    end
  end
  error("that hook does not wait")
end

-- An allocate that logs, and a release that does.
local function allocate(key)
  log[#log + 1] = "+" .. tostring(key)
  return "v" .. tostring(key)
end
local function release(key, value) log[#log + 1] = "-" .. tostring(key) .. "=" .. tostring(value) end

local gate = {}
local function slow_allocate(key)
  log[#log + 1] = "+" .. key
  host.wait(gate)
  return "v" .. key
end

local function equals(actual, expected)
  if actual ~= expected then
    error("expected " .. tostring(expected) .. ", got " .. tostring(actual), 2)
  end
end
local function logged(expected)
  local text = table.concat(log, " ")
  log = {}
  if text ~= expected then error("expected log '" .. expected .. "', got '" .. text .. "'", 2) end
end
local function raises(word, fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error("expected an error with '" .. word .. "'", 2) end
  if not tostring(err):find(word, 1, true) then
    error("expected '" .. word .. "' in '" .. tostring(err) .. "'", 2)
  end
  return tostring(err)
end

local tests = {}
local names = {}
local function test(name, fn)
  names[#names + 1] = name
  tests[name] = fn
end

test("S119: a miss allocates, a hit does not, clear releases each once in the order of insertion", function()
  local c = Cache(allocate, release)
  equals(c:get("b"), "vb")
  equals(c:get("a"), "va")
  equals(c:get("b"), "vb")
  equals(c:get(7), "v7")
  logged "+b +a +7"
  c:clear()
  logged "-b=vb -a=va -7=v7"
  c:clear()
  logged ""
  equals(c:get("b"), "vb")
  logged "+b"
end)

test("S119: clear in the order of insertion, also when there is a size", function()
  local c = Cache(allocate, release, { size = 3 })
  c:get("a"); c:get("b"); c:get("c"); c:get("a")
  log = {}
  c:clear()
  logged "-a=va -b=vb -c=vc"
end)

test("S120: the least recently used leaves at the size, also by get", function()
  local c = Cache(allocate, release, { size = 2 })
  c:get("a"); c:get("b"); c:get("a")
  log = {}
  c:get("c")
  logged "+c -b=vb"
  equals(c:find("a"), "va")
  c:set("d", 1)
  logged "-c=vc"
  equals(c:has("a"), true)
  equals(c:has("b"), false)
end)

test("S120: has does not count as a use, find and set do", function()
  local c = Cache(allocate, release, { size = 2 })
  c:set("a", 1); c:set("b", 2)
  c:has("a")
  c:set("c", 3)
  logged "-a=1"
  c:find("b")
  c:set("d", 4)
  logged "-c=3"
  c:set("b", 2)
  c:set("e", 5)
  logged "-d=4"
end)

test("S120: a size of one", function()
  local c = Cache(allocate, release, { size = 1 })
  equals(c:get("a"), "va")
  equals(c:get("b"), "vb")
  equals(c:get("b"), "vb")
  logged "+a +b -a=va"
end)

test("S121: an expired value is released before the next is allocated", function()
  local c = Cache(allocate, release, { ttl = "5s" })
  c:get("a")
  clock = clock + 4.9
  equals(c:get("a"), "va")
  logged "+a"
  clock = clock + 0.1
  equals(c:get("a"), "va")
  logged "-a=va +a"
end)

test("S121: find, has and remove release what expired and do not see it", function()
  for _, method in ipairs { "find", "has", "remove" } do
    local c = Cache(allocate, release, { ttl = 5 })
    c:set("a", 1)
    clock = clock + 5
    equals(c[method](c, "a") or false, false)
    logged "-a=1"
    equals(c:has("a"), false)
    c:clear()
    logged ""
  end
end)

test("S122: remove and overwrite release the old value", function()
  local c = Cache(allocate, release)
  c:set("a", 1)
  c:set("a", 2)
  logged "-a=1"
  equals(c:remove("a"), true)
  logged "-a=2"
  equals(c:remove("a"), false)
  logged ""
end)

test("S122: setting the value that is there already releases nothing", function()
  local c = Cache(allocate, release, { ttl = 5 })
  local value = {}
  c:set("a", value)
  clock = clock + 4
  c:set("a", value)
  logged ""
  clock = clock + 4
  equals(c:find("a"), value)
end)

test("S123: an error in one release stops neither the others nor the caller, and is reported", function()
  local function failing(key, value)
    release(key, value)
    if key == "a" then error("broken", 0) end
  end
  local c = Cache(allocate, failing)
  c:get("a"); c:get("b"); c:get("c")
  log = {}
  c:clear()
  logged "-a=va -b=vb -c=vc"
  equals(#reports, 1)
  equals(reports[1], "broken")
end)

test("a release may use the cache, and may not wait", function()
  local c
  c = Cache(allocate, function(key, value)
    release(key, value)
    if key == "a" then c:set("from-release", 1) end
    if key == "w" then host.wait(gate) end
  end)
  c:get("a"); c:get("w")
  log = {}
  local hook = start(function() c:clear() end)
  equals(hook.is_over, true)
  logged "-a=va -w=vw"
  equals(#reports, 1)
  equals(c:find("from-release"), 1)
end)

test("an overwrite whose release sets the key again loses nothing", function()
  local c
  local again = true
  c = Cache(nil, function(key, value)
    release(key, value)
    if again then again = false; c:set(key, "inner") end
  end)
  c:set("a", 1)
  c:set("a", 2)
  equals(c:find("a"), 2)
  logged "-a=1 -a=inner"
end)

test("nil, err passes through and is not stored", function()
  local calls = 0
  local c = Cache(function() calls = calls + 1; return nil, "queue-full" end, release)
  for _ = 1, 2 do
    local value, err = c:get("a")
    equals(value, nil)
    equals(err, "queue-full")
  end
  equals(calls, 2)
  c:clear()
  logged ""
end)

test("false is a value", function()
  local calls = 0
  local c = Cache(function() calls = calls + 1; return false end, release)
  equals(c:get("a"), false)
  equals(c:get("a"), false)
  equals(calls, 1)
  c:clear()
  logged "-a=false"
end)

test("without an allocate a miss is nil", function()
  local c = Cache()
  equals(c:get("a"), nil)
  c:set("a", 1)
  equals(c:get("a"), 1)
  equals(c:remove("a"), true)
end)

test("two gets of one missing key share one allocation", function()
  local c = Cache(slow_allocate, release)
  local one = start(c.get, c, "a")
  local two = start(c.get, c, "a")
  local other = start(c.get, c, "b")
  logged "+a +b"
  host.wake(gate); settle()
  equals(one.value, "va"); equals(two.value, "va"); equals(other.value, "vb")
  logged ""
  c:clear()
  logged "-a=va -b=vb"
end)

test("they share a failure too", function()
  local c = Cache(function(key) slow_allocate(key); return nil, "no" end, release)
  local one = start(c.get, c, "a")
  local two = start(c.get, c, "a")
  host.wake(gate); settle()
  equals(one.err, "no"); equals(two.err, "no")
  logged "+a"
end)

test("when the one who allocates is cancelled the next one tries anew", function()
  local c = Cache(slow_allocate, release)
  local one = start(c.get, c, "a")
  local two = start(c.get, c, "a")
  local three = start(c.get, c, "a")
  cancel(one)
  equals(one.ok, false)
  equals(one.value, "cancelled")
  settle()
  logged "+a +a"
  equals(two.is_over, nil)
  host.wake(gate); settle()
  equals(two.value, "va"); equals(three.value, "va")
  logged ""
end)

test("one who waits for another's allocation may be cancelled alone", function()
  local c = Cache(slow_allocate, release)
  local one = start(c.get, c, "a")
  local two = start(c.get, c, "a")
  cancel(two)
  host.wake(gate); settle()
  equals(one.value, "va")
  equals(two.ok, false)
end)

test("an allocate that raises leaves nothing behind", function()
  local fails = true
  local c = Cache(function(key)
    if fails then error("broken", 0) end
    return key
  end, release)
  raises("broken", c.get, c, "a")
  fails = false
  equals(c:get("a"), "a")
end)

test("an allocation that asks for its own key is an error, not an endless wait", function()
  local c
  c = Cache(function(key) return c:get(key) end)
  local hook = start(c.get, c, "a")
  equals(hook.ok, false)
  assert(hook.value:find("asks for the key itself", 1, true), hook.value)
  raises("asks for the key itself", c.get, c, "b")
end)

test("a value set while the allocation was under way stays, the allocated one is released", function()
  local c = Cache(slow_allocate, release)
  local one = start(c.get, c, "a")
  local two = start(c.get, c, "a")
  c:set("a", "mine")
  host.wake(gate); settle()
  equals(one.value, "mine"); equals(two.value, "mine")
  logged "+a -a=va"
end)

test("one who waited never gets a value that was released in the meantime", function()
  local c = Cache(slow_allocate, release)
  start(c.get, c, "a")
  local two = start(c.get, c, "a")
  sleepers[1].is_awake, sleepers[2].is_awake = nil, nil
  -- Only the first goes on; before the second does, its value is removed.
  local first = table.remove(sleepers, 1)
  assert(coroutine.resume(first.thread))
  c:remove("a")
  logged "+a -a=va"
  settle()
  logged "+a"
  equals(two.is_over, nil)
  host.wake(gate); settle()
  equals(two.value, "va")
end)

test("after close a value that arrives is released at once and get gives cancelled", function()
  local c = Cache(slow_allocate, release)
  c:set("z", 1)
  local one = start(c.get, c, "a")
  local two = start(c.get, c, "a")
  c:close()
  logged "+a -z=1"
  host.wake(gate); settle()
  logged "-a=va"
  equals(one.value, nil); equals(one.err, host.cancelled)
  equals(two.value, nil); equals(two.err, host.cancelled)
  local value, err = c:get("b")
  equals(value, nil); equals(err, host.cancelled)
  c:set("c", 2)
  logged "-c=2"
  equals(c:has("c"), false)
end)

test("each goes in the order of insertion and bears changes on the way", function()
  local c = Cache(allocate, release)
  for _, key in ipairs { "c", "a", "b" } do c:get(key) end
  local seen = {}
  for key, value in c:each() do
    seen[#seen + 1] = key .. value
    if key == "c" then c:remove("a"); c:set("new", 1) end
  end
  equals(table.concat(seen, " "), "cvc bvb")
end)

test("each leaves out what has expired", function()
  local c = Cache(allocate, release, { ttl = 5 })
  c:set("a", 1)
  clock = clock + 4
  c:set("b", 2)
  clock = clock + 1
  local seen = {}
  for key in c:each() do seen[#seen + 1] = key end
  equals(table.concat(seen), "b")
end)

test("a dot in the place of the colon is said", function()
  local c = Cache(function() return 1 end)
  for _, name in ipairs { "get", "set", "find", "has", "remove", "clear", "each" } do
    for _, self in ipairs { "a", 5, {}, true } do
      raises("Cache:" .. name .. ": call it with a colon", c[name], self, 1)
    end
    raises("Cache:" .. name .. ": call it with a colon", c[name])
  end
end)

test("keys may be tables; nil and NaN are refused", function()
  local c = Cache(allocate, release)
  local key = {}
  c:set(key, 1)
  equals(c:get(key), 1)
  equals(c:get({}) ~= 1, true)
  raises("key is nil", c.get, c, nil)
  raises("key is nil", c.set, c, nil, 1)
  raises("NaN", c.get, c, 0 / 0)
  raises("use remove", c.set, c, "a", nil)
  equals(c:find(nil), nil)
  equals(c:remove(nil), false)
end)

test("wrong arguments are refused at the place of the call", function()
  for _, case in ipairs {
    { "unknown option sise; size or ttl?", nil, nil, { sise = 1 } },
    { "unknown option sise; size or ttl?", nil, { sise = 1 } },
    { 'option "size" expects', nil, nil, { size = 0 } },
    { 'option "size" expects', nil, nil, { size = 0 / 0 } },
    { 'option "ttl" expects', nil, nil, { ttl = 0 } },
    { 'option "ttl" expects', nil, nil, { ttl = 0 / 0 } },
    { 'option "ttl" expects', nil, nil, { ttl = "soon" } },
    { "options (argument 3) expects a table, got 5", nil, nil, 5 },
    { "allocate (argument 1) expects a function, got 5", 5 },
    { "release (argument 2) expects a function, got 5", nil, 5 },
  } do
    local place = debug.getinfo(1, "l").currentline + 2
    local err = raises(case[1], function()
      local made = Cache(case[2], case[3], case[4])
      return made
    end)
    assert(err:find("cache_test.lua:" .. place .. ":", 1, true), err)
  end
end)

test("options may stand where a release would", function()
  local c = Cache(nil, { size = 1 })
  c:set("a", 1)
  c:set("b", 2)
  equals(c:has("a"), false)
  equals(c:find("b"), 2)
end)

test("the engine is told of every cache", function()
  local c = Cache(allocate)
  equals(adopted[#adopted], c)
end)

test("whatever happens every value is released once", function()
  math.randomseed(1)
  for round = 1, 200 do
    local owners, made = {}, 0
    local c = Cache(function()
      made = made + 1
      owners[made] = 1
      return made
    end, function(_, value)
      if owners[value] ~= 1 then error("released twice") end
      owners[value] = nil
    end, { size = round % 3 > 0 and math.random(6) or nil, ttl = round % 2 > 0 and math.random(9) or nil })
    for _ = 1, 200 do
      local key, dice = math.random(8), math.random(20)
      if dice <= 10 then c:get(key)
      elseif dice <= 13 then
        made = made + 1
        owners[made] = 1
        c:set(key, made)
      elseif dice <= 15 then c:remove(key)
      elseif dice <= 17 then c:has(key)
      elseif dice <= 19 then clock = clock + math.random(3)
      else c:clear() end
      local count, alive = 0, 0
      for _ in pairs(owners) do alive = alive + 1 end
      for _ in pairs(c.entries) do count = count + 1 end
      equals(count, alive)
      equals(c.count, count)
      assert(not c.size or count <= c.size)
    end
    c:close()
    equals(next(owners), nil)
    equals(#reports, 0)
  end
end)

for _, name in ipairs(names) do
  clock, sleepers, reports, adopted, may_wait, log = 100, {}, {}, {}, true, {}
  local ok, err = xpcall(tests[name], debug.traceback)
  if not ok then error(name .. "\n" .. tostring(err), 0) end
end
