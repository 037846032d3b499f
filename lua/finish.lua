-- Closes the library: scripts get its parts through empty tables, so that every write is seen, and what
-- a part does not have is said with the nearest name that it has.
local globals, core = ...

local fail, describe, suggest = core.fail, core.describe, core.suggest

for name, library in next, globals do
  local is_lua = name == "string" or name == "table" or name == "math" or name == "bit"
  if type(library) == "table" and not is_lua and not getmetatable(library) then
    setmetatable(library, {
      __index = function(_, field) fail(name .. " has no " .. describe(field) .. suggest(field, library)) end,
    })
    globals[name] = setmetatable({}, {
      __index = library,
      __pairs = function() return next, library end,
      __newindex = function(_, field)
        fail(name .. "." .. tostring(field) .. ": " .. name .. " belongs to the engine and cannot be changed")
      end,
      __metatable = name,
    })
  end
end
