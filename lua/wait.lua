-- What waits, and what runs outside any request.
local globals, core = ...

local results, fail, describe = core.results, core.fail, core.describe
local raw_sleep, raw_every = core.sleep, core.every

--- Waits; others run meanwhile.
function globals.sleep(time) return results(raw_sleep(time)) end

globals.after = core.after

local every_options = { worker = true, atStart = true }

--- Calls `fn` again and again; runs never overlap.
function globals.every(interval, fn, options)
  local worker, at_start = "each", false
  if options ~= nil then
    core.check_options("every", options, every_options)
    if options.worker ~= nil then worker = options.worker end
    if options.atStart ~= nil then at_start = options.atStart end
  end
  if worker ~= "each" and worker ~= "one" then
    fail('every: option "worker" expects "each" or "one", got ' .. describe(worker))
  end
  if type(at_start) ~= "boolean" then
    fail('every: option "atStart" expects true or false, got ' .. describe(at_start))
  end
  raw_every(interval, fn, worker == "one", at_start)
end
