-- algo.Cache, statement by statement, and as scripts use it.

local Cache = algo.Cache
local log_of_calls = {}

local function note(entry) log_of_calls[#log_of_calls + 1] = entry end

-- An allocate that notes its calls, and a release that does.
local function allocate(key)
  note("+" .. tostring(key))
  return "v" .. tostring(key)
end
local function release(key, value) note("-" .. tostring(key) .. "=" .. tostring(value)) end

local function slow_allocate(key)
  note("+" .. key)
  sleep(1)
  return "v" .. key
end

--- What was called since the last time, in order.
local function logged(expected)
  local text = table.concat(log_of_calls, " ")
  log_of_calls = {}
  expect(text):equals(expected)
end

local function forget() log_of_calls = {} end

test("S119: a miss allocates, a hit does not, clear releases each once in the order of insertion", function()
  local c = Cache(allocate, release)
  expect(c:get("b")):equals("vb")
  expect(c:get("a")):equals("va")
  expect(c:get("b")):equals("vb")
  expect(c:get(7)):equals("v7")
  logged "+b +a +7"
  c:clear()
  logged "-b=vb -a=va -7=v7"
  c:clear()
  logged ""
  expect(c:get("b")):equals("vb")
  logged "+b"
end)

test("S119: clear in the order of insertion, also when there is a size", function()
  local c = Cache(allocate, release, { size = 3 })
  c:get("a"); c:get("b"); c:get("c"); c:get("a")
  forget()
  c:clear()
  logged "-a=va -b=vb -c=vc"
end)

test("S120: the least recently used leaves at the size, also by get", function()
  local c = Cache(allocate, release, { size = 2 })
  c:get("a"); c:get("b"); c:get("a")
  forget()
  c:get("c")
  logged "+c -b=vb"
  expect(c:find("a")):equals("va")
  c:set("d", 1)
  logged "-c=vc"
  expect(c:has("a")):equals(true)
  expect(c:has("b")):equals(false)
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
  expect(c:get("a")):equals("va")
  expect(c:get("b")):equals("vb")
  expect(c:get("b")):equals("vb")
  logged "+a +b -a=va"
end)

test("S121: an expired value is released before the next is allocated", function()
  local c = Cache(allocate, release, { ttl = "5s" })
  c:get("a")
  test.advance(4.9)
  expect(c:get("a")):equals("va")
  logged "+a"
  test.advance(0.1)
  expect(c:get("a")):equals("va")
  logged "-a=va +a"
end)

test("S121: find, has and remove release what expired and do not see it", function()
  for _, method in ipairs { "find", "has", "remove" } do
    local c = Cache(allocate, release, { ttl = 5 })
    c:set("a", 1)
    test.advance(5)
    expect(c[method](c, "a") or false):equals(false)
    logged "-a=1"
    expect(c:has("a")):equals(false)
    c:clear()
    logged ""
  end
end)

test("S122: remove and overwrite release the old value", function()
  local c = Cache(allocate, release)
  c:set("a", 1)
  c:set("a", 2)
  logged "-a=1"
  expect(c:remove("a")):equals(true)
  logged "-a=2"
  expect(c:remove("a")):equals(false)
  logged ""
end)

test("S122: setting the value that is there already releases nothing", function()
  local c = Cache(allocate, release, { ttl = 5 })
  local value = {}
  c:set("a", value)
  test.advance(4)
  c:set("a", value)
  logged ""
  test.advance(4)
  expect(c:find("a")):equals(value)
end)

test("S123: an error in one release stops neither the others nor the caller, and is reported", function()
  local function failing(key, value)
    release(key, value)
    if key == "a" then error("broken", 0) end
  end
  local c = Cache(allocate, failing)
  c:get("a"); c:get("b"); c:get("c")
  forget()
  c:clear()
  logged "-a=va -b=vb -c=vc"
  expect(select(2, test.log():gsub("broken\n", ""))):equals(1)
end)

test("a release may use the cache, and may not wait", function()
  local c
  c = Cache(allocate, function(key, value)
    release(key, value)
    if key == "a" then c:set("from-release", 1) end
    if key == "w" then sleep(1) end
  end)
  c:get("a"); c:get("w")
  forget()
  c:clear()
  expect(test.now()):equals(0)
  logged "-a=va -w=vw"
  expect(test.log()):contains("sleep cannot wait here: a release callback may not wait")
  expect(c:find("from-release")):equals(1)
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
  expect(c:find("a")):equals(2)
  logged "-a=1 -a=inner"
end)

test("nil, err passes through and is not stored", function()
  local calls = 0
  local c = Cache(function() calls = calls + 1; return nil, "queue-full" end, release)
  for _ = 1, 2 do
    local value, err = c:get("a")
    expect(value):equals(nil)
    expect(err):equals("queue-full")
  end
  expect(calls):equals(2)
  c:clear()
  logged ""
end)

test("false is a value", function()
  local calls = 0
  local c = Cache(function() calls = calls + 1; return false end, release)
  expect(c:get("a")):equals(false)
  expect(c:get("a")):equals(false)
  expect(calls):equals(1)
  c:clear()
  logged "-a=false"
end)

test("without an allocate a miss is nil", function()
  local c = Cache()
  expect(c:get("a")):equals(nil)
  c:set("a", 1)
  expect(c:get("a")):equals(1)
  expect(c:remove("a")):equals(true)
end)

--- A get beside the test.
local function start(c, key) return test.spawn(function() return c:get(key) end) end

test("two gets of one missing key share one allocation", function()
  local c = Cache(slow_allocate, release)
  local one, two, other = start(c, "a"), start(c, "a"), start(c, "b")
  test.advance(0.5)
  logged "+a +b"
  expect(one:wait()):equals("va")
  expect(two:wait()):equals("va")
  expect(other:wait()):equals("vb")
  expect(test.now()):equals(1)
  logged ""
  c:clear()
  logged "-a=va -b=vb"
end)

test("they share a failure too", function()
  local c = Cache(function(key) slow_allocate(key); return nil, "no" end, release)
  local one, two = start(c, "a"), start(c, "a")
  expect(select(2, one:wait())):equals("no")
  expect(select(2, two:wait())):equals("no")
  logged "+a"
end)

--- A script whose handlers get "a" from one cache, and say how it went; the allocation takes a second.
local function shared_cache()
  return test.load("main.lua", { files = { ["main.lua"] = [[
    local cache = algo.Cache(function(key)
      log.info("allocates")
      sleep(1)
      return "v" .. key
    end, function() end)
    listen(8000):serveHTTP(function(req) return Message(cache:get("a")) end)
  ]] } })
end

local function ask(proxy)
  local client = proxy:connect(8000)
  client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  test.advance("1ms")
  return client
end

local function allocations() return select(2, test.log():gsub("allocates", "")) end

test("when the one who allocates is cancelled the next one tries anew", function()
  local proxy = shared_cache()
  local one, two, three = ask(proxy), ask(proxy), ask(proxy)
  expect(allocations()):equals(1)
  test.advance(0.5)
  one:reset()
  test.advance(0.1)
  expect(allocations()):equals(2)
  expect(two:response().body):equals("va")
  expect(three:response().body):equals("va")
  expect(test.now()):near(1.5, 0.05)
  expect(allocations()):equals(2)
end)

test("one who waits for another's allocation may be cancelled alone", function()
  local proxy = shared_cache()
  local one, two = ask(proxy), ask(proxy)
  two:reset()
  expect(one:response().body):equals("va")
  expect(allocations()):equals(1)
end)

test("an allocate that raises leaves nothing behind", function()
  local fails = true
  local c = Cache(function(key)
    if fails then error("broken", 0) end
    return key
  end, release)
  expect(function() c:get("a") end):raises("broken")
  fails = false
  expect(c:get("a")):equals("a")
end)

test("an allocation that asks for its own key is an error, not an endless wait", function()
  local c
  c = Cache(function(key) return c:get(key) end)
  expect(function() c:get("a") end):raises("asks for the key itself")
  expect(function() c:get("b") end):raises("asks for the key itself")
end)

test("a value set while the allocation was under way stays, the allocated one is released", function()
  local c = Cache(slow_allocate, release)
  local one, two = start(c, "a"), start(c, "a")
  test.advance(0.5)
  c:set("a", "mine")
  expect(one:wait()):equals("mine")
  expect(two:wait()):equals("mine")
  logged "+a -a=va"
end)

test("one who waited never gets a value that was released in the meantime", function()
  local c = Cache(slow_allocate, release)
  test.spawn(function()
    c:get("a")
    -- The other one has not gone on when its value is removed.
    c:remove("a")
  end)
  local two = start(c, "a")
  test.advance(1.5)
  logged "+a -a=va +a"
  expect(two:wait()):equals("va")
  expect(test.now()):equals(2)
end)

test("a session's caches are closed at its end: what arrives later is released at once", function()
  local proxy = test.load("main.lua", { files = { ["main.lua"] = [[
    listen(8000)
      :handleSessionStart(function(ctx)
        ctx.cache = algo.Cache(function(key) sleep(1) return "v" .. key end,
          function(key, value) log.info("released " .. key .. "=" .. value) end)
      end)
      :demuxHTTP(pipeline():replaceMessage(function(req, ctx)
        local cache = ctx.cache
        cache:set("z", 1)
        after(0, function()
          log.info("got", { what = tostring(select(2, cache:get("a"))) })
          cache:set("late", 2)
          log.info("has", { late = tostring(cache:has("late")) })
        end)
        return Message "ok"
      end))
  ]] } })
  local client = proxy:connect(8000)
  expect(client:request().body):equals("ok")
  client:close()
  test.advance(0.5)
  expect(test.log()):equals("info  released z=1\n")
  test.advance(1)
  expect(test.log()):contains("released a=va"):contains("got what=\"engine cancelled"):contains("released late=2")
    :contains("has late=false")
end)

test("each goes in the order of insertion and bears changes on the way", function()
  local c = Cache(allocate, release)
  for _, key in ipairs { "c", "a", "b" } do c:get(key) end
  local seen = {}
  for key, value in c:each() do
    seen[#seen + 1] = key .. value
    if key == "c" then c:remove("a"); c:set("new", 1) end
  end
  expect(table.concat(seen, " ")):equals("cvc bvb")
end)

test("each leaves out what has expired", function()
  local c = Cache(allocate, release, { ttl = 5 })
  c:set("a", 1)
  test.advance(4)
  c:set("b", 2)
  test.advance(1)
  local seen = {}
  for key in c:each() do seen[#seen + 1] = key end
  expect(table.concat(seen)):equals("b")
end)

test("a dot in the place of the colon is said", function()
  local c = Cache(function() return 1 end)
  for _, name in ipairs { "get", "set", "find", "has", "remove", "clear", "each" } do
    for _, self in ipairs { "a", 5, {}, true } do
      expect(function() c[name](self, 1) end):raises("Cache:" .. name .. ": call it with a colon")
    end
    expect(function() c[name]() end):raises("Cache:" .. name .. ": call it with a colon")
  end
end)

test("keys may be tables; nil and NaN are refused", function()
  local c = Cache(allocate, release)
  local key = {}
  c:set(key, 1)
  expect(c:get(key)):equals(1)
  expect(c:get({}) ~= 1):equals(true)
  expect(function() c:get(nil) end):raises("key is nil")
  expect(function() c:set(nil, 1) end):raises("key is nil")
  expect(function() c:get(0 / 0) end):raises("NaN")
  expect(function() c:set("a", nil) end):raises("use remove")
  expect(c:find(nil)):equals(nil)
  expect(c:remove(nil)):equals(false)
end)

test("wrong arguments are refused at the place of the call", function()
  for _, case in ipairs {
    { 'unknown option "sise"; did you mean "size"?', nil, nil, { sise = 1 } },
    { 'unknown option "sise"; did you mean "size"?', nil, { sise = 1 } },
    { 'option "size" expects', nil, nil, { size = 0 } },
    { 'option "size" expects', nil, nil, { size = 0 / 0 } },
    { 'option "ttl" expects', nil, nil, { ttl = 0 } },
    { 'option "ttl" expects', nil, nil, { ttl = 0 / 0 } },
    { 'option "ttl" expects', nil, nil, { ttl = "soon" } },
    { "options (argument 3) expects a table, got 5", nil, nil, 5 },
    { "allocate (argument 1) expects a function, got 5", 5 },
    { "release (argument 2) expects a function, got 5", nil, 5 },
  } do
    expect(function()
      local made = Cache(case[2], case[3], case[4])
      return made
    end):raises("cache_test.lua:"):raises(case[1])
  end
end)

test("options may stand where a release would", function()
  local c = Cache(nil, { size = 1 })
  c:set("a", 1)
  c:set("b", 2)
  expect(c:has("a")):equals(false)
  expect(c:find("b")):equals(2)
end)

test("whatever happens every value is released once", function()
  math.randomseed(1)
  for round = 1, 60 do
    local owners, made = {}, 0
    local c = Cache(function()
      made = made + 1
      owners[made] = 1
      return made
    end, function(_, value)
      if owners[value] ~= 1 then error("released twice") end
      owners[value] = nil
    end, { size = round % 3 > 0 and math.random(6) or nil, ttl = round % 2 > 0 and math.random(9) or nil })
    for _ = 1, 100 do
      local key, dice = math.random(8), math.random(20)
      if dice <= 10 then c:get(key)
      elseif dice <= 13 then
        made = made + 1
        owners[made] = 1
        c:set(key, made)
      elseif dice <= 15 then c:remove(key)
      elseif dice <= 17 then c:has(key)
      elseif dice <= 19 then test.advance(math.random(3))
      else c:clear() end
      local count, alive = 0, 0
      for _ in pairs(owners) do alive = alive + 1 end
      for _ in pairs(c.entries) do count = count + 1 end
      if count ~= alive or c.count ~= count then expect({ count, c.count }):equals({ alive, alive }) end
      assert(not c.size or count <= c.size)
    end
    c:clear()
    expect(next(owners)):isNil()
    expect(test.log()):equals("")
  end
end)
