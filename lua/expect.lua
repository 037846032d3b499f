-- expect(value): what tests say about values. A failure tells what was expected, what came, and where.
local globals, core = ...

local error, next, pcall, rawequal, setmetatable, tostring, type =
  error, next, pcall, rawequal, setmetatable, tostring, type
local fail, describe = core.fail, core.describe
local concat, sort, abs, floor, max = table.concat, table.sort, math.abs, math.floor, math.max

local shown_bytes, shown_entries, shown_depth = 500, 20, 3

--- A value in words, tables with what is in them.
local function show(value, depth)
  if type(value) == "string" then
    local cut = #value > shown_bytes
    local text = ("%q"):format(cut and value:sub(1, shown_bytes) or value)
    text = text:gsub("\\\n", "\\n"):gsub("\\13", "\\r"):gsub("%c", function(c) return ("\\%d"):format(c:byte()) end)
    return cut and text .. "… (" .. #value .. " bytes)" or text
  end
  if type(value) == "number" then return ("%.14g"):format(value) end
  local metatable = core.metatable_of(value)
  if metatable and metatable.__tostring then return tostring(value) end
  if type(value) ~= "table" then return type(value) == "userdata" and describe(value) or tostring(value) end
  depth = depth or 1
  if depth > shown_depth then return "{…}" end
  local parts, keys = {}, {}
  for i = 1, #value do
    if i > shown_entries then break end
    parts[i] = show(value[i], depth + 1)
  end
  for key in next, value do
    local is_listed = type(key) == "number" and key >= 1 and key <= #value and key % 1 == 0
    if not is_listed then keys[#keys + 1] = key end
  end
  sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i = 1, #keys do
    if i > shown_entries then break end
    local key = keys[i]
    local name = type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. show(key, depth + 1) .. "]"
    parts[#parts + 1] = name .. " = " .. show(value[key], depth + 1)
  end
  if #value > shown_entries or #keys > shown_entries then parts[#parts + 1] = "…" end
  return #parts == 0 and "{}" or "{ " .. concat(parts, ", ") .. " }"
end
core.show = show

--- Numbers that differ by what arithmetic with fractions loses are equal.
local function same_number(a, b)
  if a == b then return true end
  if floor(a) == a and floor(b) == b then return false end
  return abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
end

local function same(a, b, depth)
  if rawequal(a, b) then return true end
  if type(a) ~= type(b) then return false end
  if type(a) == "number" then return same_number(a, b) end
  if type(a) ~= "table" then return a == b end
  if depth > 50 then return false end
  for key, value in next, a do
    if not same(value, b[key], depth + 1) then return false end
  end
  for key in next, b do
    if a[key] == nil then return false end
  end
  return true
end

local failure_metatable = {
  __tostring = function(failure) return failure.message end,
  __metatable = "failure",
}

--- What an expectation raises.
function core.is_failure(value) return core.metatable_of(value) == failure_metatable end

--- One, with where it was raised.
function core.make_failure(message)
  return setmetatable({ message = message, places = { core.test_stack() } }, failure_metatable)
end

local function raise(message) error(core.make_failure(message), 0) end

local function differs(self, expected)
  raise("expected " .. expected .. "\n     got " .. show(self.value))
end

local function need_number(name, value)
  if type(value) ~= "number" then fail("expect: " .. name .. " expects a number, got " .. describe(value)) end
end

local Expectation = {}

--- It equals `expected`: tables by what is in them, fractions to a billionth.
function Expectation:equals(expected)
  if not same(self.value, expected, 1) then differs(self, show(expected)) end
  return self
end

--- It does not equal `other`.
function Expectation:differs(other)
  if same(self.value, other, 1) then differs(self, "anything but " .. show(other)) end
  return self
end

--- It is a number of `most` or less.
function Expectation:atMost(most)
  need_number("atMost", most)
  if type(self.value) ~= "number" or not (self.value <= most or same_number(self.value, most)) then
    differs(self, "at most " .. show(most))
  end
  return self
end

--- It is a number of `least` or more.
function Expectation:atLeast(least)
  need_number("atLeast", least)
  if type(self.value) ~= "number" or not (self.value >= least or same_number(self.value, least)) then
    differs(self, "at least " .. show(least))
  end
  return self
end

--- It is a number that is not further from `number` than `distance`.
function Expectation:near(number, distance)
  need_number("near", number)
  need_number("near", distance)
  if type(self.value) ~= "number" or abs(self.value - number) > distance then
    differs(self, show(number) .. ", more or less " .. show(distance))
  end
  return self
end

--- Whether a string has a part, or a list an element; nil when it is neither.
local function has(value, part)
  if type(value) == "string" then
    if type(part) ~= "string" then
      fail("expect: contains in a string expects a string, got " .. describe(part))
    end
    return value:find(part, 1, true) ~= nil
  end
  if type(value) ~= "table" then return nil end
  for i = 1, #value do
    if same(value[i], part, 1) then return true end
  end
  return false
end

--- It is a string with this part, or a list with this element.
function Expectation:contains(part)
  if not has(self.value, part) then differs(self, "something that contains " .. show(part)) end
  return self
end

--- It is a string without this part, or a list without this element.
function Expectation:lacks(part)
  if has(self.value, part) ~= false then differs(self, "something without " .. show(part)) end
  return self
end

--- It is a string in which the Lua pattern is found.
function Expectation:matches(pattern)
  if type(pattern) ~= "string" then
    fail("expect: matches expects a Lua pattern, got " .. describe(pattern))
  end
  if type(self.value) ~= "string" or not self.value:find(pattern) then
    differs(self, "something like " .. show(pattern))
  end
  return self
end

--- It is nil.
function Expectation:isNil()
  if self.value ~= nil then differs(self, "nil") end
  return self
end

--- It is not nil.
function Expectation:exists()
  if self.value == nil then differs(self, "something") end
  return self
end

--- It is true, not only something like it.
function Expectation:isTrue()
  if self.value ~= true then differs(self, "true") end
  return self
end

--- It is false, and not nil.
function Expectation:isFalse()
  if self.value ~= false then differs(self, "false") end
  return self
end

--- It is a function that raises an error with this part in it.
function Expectation:raises(part)
  if type(self.value) ~= "function" then
    fail("expect: raises is asked of a function, got " .. describe(self.value))
  end
  if part ~= nil and type(part) ~= "string" then
    fail("expect: raises expects a part of the message, got " .. describe(part))
  end
  local ok, err = pcall(self.value)
  if not ok and err == core.cancelled then error(err, 0) end
  if ok then raise("expected an error" .. (part and " with " .. show(part) or "") .. "\n     got none") end
  local text = type(err) == "string" and err or tostring(err)
  if part and not text:find(part, 1, true) then
    raise("expected an error with " .. show(part) .. "\n     got " .. show(text))
  end
  return self
end

local metatable

-- With a dot the value that follows would be taken for the expectation.
for name, method in next, Expectation do
  Expectation[name] = function(self, ...)
    if core.metatable_of(self) ~= metatable then
      fail("expect: " .. name .. " is called with a colon: expect(value):" .. name .. "(…)")
    end
    return method(self, ...)
  end
end

metatable = {
  __index = function(_, name)
    local method = Expectation[name]
    if method or name == "value" then return method end -- the value itself may be nil
    fail("expect has no " .. describe(name) .. core.suggest(name, Expectation))
  end,
  __metatable = "expectation",
}

--- Begins what a test says about a value.
function globals.expect(value) return setmetatable({ value = value }, metatable) end
