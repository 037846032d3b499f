-- algo.Cache with the engine as its host, see cache.lua.
local globals, core = ...

local results, call_now = core.results, core.call_now

globals.algo.Cache = core.cache.constructor {
  now = core.now,
  duration = core.seconds,
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
