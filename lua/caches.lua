-- algo.Cache with the engine as its host, see cache.lua.
local globals, core = ...

local results, call_now = core.results, core.call_now

local methods = {}
for name in next, core.cache.class do
  local is_own = name:sub(1, 2) == "__" or name == "close" or type(core.cache.class[name]) ~= "function"
  if not is_own then methods[name] = true end
end
setmetatable(core.cache.class, {
  __index = function(_, name)
    core.fail("a Cache has no " .. core.describe(name) .. core.suggest(name, methods))
  end,
})

globals.algo.Cache = core.cache.constructor {
  now = core.now,
  duration = core.seconds,
  describe = core.describe,
  suggest = core.suggest,
  cancelled = core.cancelled,
  wait = function(ticket)
    ticket.event = ticket.event or core.event()
    results(core.event_wait(ticket.event, "Cache:get"))
  end,
  wake = function(ticket)
    if ticket.event then core.event_set(ticket.event) end
  end,
  call = function(release, key, value)
    call_now("a release callback may not wait", release, key, value) -- reports by itself
    return true
  end,
  report = core.fail,
  adopt = function(cache)
    if cache.release then core.attach_cache(cache) end
  end,
}

core.cache_closer(function(caches)
  for i = 1, #caches do caches[i]:close() end
end)
