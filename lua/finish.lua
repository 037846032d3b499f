-- Closes the library: scripts get its parts through empty tables, so that every write is seen, and what
-- a part does not have is said with the nearest name that it has.
local globals, core = ...

local fail, describe, suggest = core.fail, core.describe, core.suggest

-- What Lua has under names that we do not have, or that people take for a function.
local elsewhere = {
  ["os.time"] = "time.now() gives the seconds since 1970",
  ["os.clock"] = "time.monotonic() gives seconds for differences",
  ["os.date"] = "time.format(seconds) writes a date",
  ["os.getenv"] = "os.env.NAME is the variable, or nil",
  log = 'log.info("text", { name = value }) writes a line, and so do log.debug, log.warn and log.error',
}

for _, method in next, { "post", "put", "delete", "patch", "head" } do
  elsewhere["http." .. method] = 'http.request("' .. method:upper() .. '", url, { body = … }) does'
end

local function hint(name)
  return elsewhere[name] and "; " .. elsewhere[name] or nil
end

local function functions_of(library)
  local names = {}
  for field in next, library do names[#names + 1] = field end
  table.sort(names)
  return table.concat(names, ", ")
end

local libraries = {}

--- What is wrong with reading this field of a part of the library; nil: nothing.
local function missing_field(name, field)
  local library = libraries[name]
  if not library or rawget(library, field) ~= nil then return end
  return name .. " has no " .. describe(field) .. (hint(name .. "." .. tostring(field)) or suggest(field, library))
end

for name, library in next, globals do
  local is_lua = name == "string" or name == "table" or name == "math" or name == "bit"
  if type(library) == "table" and not is_lua and not getmetatable(library) then
    libraries[name] = library
    setmetatable(library, { __index = function(_, field) fail(missing_field(name, field)) end })
    globals[name] = setmetatable({}, {
      __index = library,
      __pairs = function() return next, library end,
      __newindex = function(_, field)
        fail(name .. "." .. tostring(field) .. ": " .. name .. " belongs to the engine and cannot be changed")
      end,
      __call = function()
        fail(name .. " is no function" .. (hint(name) or "; it has " .. functions_of(library)))
      end,
      __metatable = name,
    })
  end
end

core.judge_fields(missing_field)
