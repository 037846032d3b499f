-- What a script does about its own replacement by a newer version of it.
local globals, core = ...

local fail, describe, encode, decode = core.fail, core.describe, core.encode, core.decode
local pcall, type, ipairs = pcall, type, ipairs

local bytes_max = core.kept_bytes_max
local kept, unloaders = {}, {}
local reload = {}
globals.reload = reload

--- Keeps a value for the next version of this file, which finds it under the same name.
function reload.keep(name, value)
  if type(name) ~= "string" then
    fail("reload.keep: argument 1 (name) expects a string, got " .. describe(name))
  end
  local is_plain, problem = pcall(encode, value, bytes_max)
  if not is_plain then
    fail("reload.keep: " .. describe(name) .. " cannot be kept, only plain data can (booleans, numbers, strings and "
      .. "tables of them): " .. problem)
  end
  if core.is_loading() then
    if kept[name] ~= nil then fail("reload.keep: " .. describe(name) .. " is kept already") end
    local before = core.kept_before(name)
    if before then value = decode(before) end
  end
  kept[name] = value
  return value
end

--- Has a function called when this version of the script is over: its last connection has ended.
function reload.onUnload(fn)
  core.check_function("reload.onUnload", "1 (fn)", fn)
  if not core.is_loading() then fail("reload.onUnload: it belongs at the top of a file") end
  unloaders[#unloaders + 1] = fn
end

core.reload_state(function(name)
  local value = kept[name]
  if value ~= nil then return encode(value, bytes_max) end
end, function()
  local functions = unloaders
  unloaders = {}
  for _, fn in ipairs(functions) do core.call_now("the function of reload.onUnload may not wait", fn) end
end)
