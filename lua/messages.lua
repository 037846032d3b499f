-- What scripts do most with the messages of an exchange, in a form that LuaJIT compiles into the hooks that do
-- it: by FFI, without a call through the Lua stack. The engine's functions for it (message_access.cpp) know the
-- plain cases; the rest, and every error, is the business of those that messages have anyway.
--
-- The headers of such a message are a handle here, not a userdata: where they are used at once, as in
-- req.headers.host, nothing is made at all. A handle names a message by its place and by which user of that
-- place it is, so one that was kept finds nothing when its message is over.
local _, core = ...

local pairs, tostring, type = pairs, tostring, type
local access, ffi = core.message_access, core.ffi
local ffi_string, istype, cast = ffi.string, ffi.istype, ffi.cast

-- Names that nobody who asks for a header comes upon: one of them would give the number, not a header.
local secret = "\255" .. tostring({}):gsub("%W", "")
local SLOT, GENERATION = "slot" .. secret, "generation" .. secret

ffi.cdef([[
  struct message_text { const char *bytes; size_t size; };
  struct message_box { const void *kind; const void *message; uint32_t slot; uint32_t generation; };
  struct headers { const uint32_t ]] .. SLOT .. "; const uint32_t " .. GENERATION .. [[; };
]])

local read_field = cast("int (*)(const void *, int, struct message_text *)", access.read_field)
local read_status = cast("int (*)(const void *)", access.read_status)
local read_header = cast(
  "int (*)(const void *, uint32_t, uint32_t, const char *, uint32_t, struct message_text *)", access.read_header)
local set_header = cast(
  "int (*)(const void *, uint32_t, uint32_t, const char *, uint32_t, const char *, uint32_t)", access.set_header)
local boxes = cast("const void *", access.boxes)
local box_type = ffi.typeof("const struct message_box *")
local text = ffi.new("struct message_text")

-- What the engine's functions answer; 0 is "elsewhere".
local FOUND, ABSENT = 1, 2

local headers_box = access.headers_box
local methods = access.headers_methods
local other_header = access.headers_metatable.__index
local set_other_header = access.headers_metatable.__newindex
local headers_type

local function box_of(headers)
  return headers_box(headers[SLOT], headers[GENERATION])
end

local function header(headers, name)
  if type(name) == "string" then
    local answer = read_header(boxes, headers[SLOT], headers[GENERATION], name, #name, text)
    if answer == FOUND then return ffi_string(text.bytes, text.size) end
    if answer == ABSENT then return nil end
  end
  return other_header(box_of(headers), name)
end

-- The methods of headers, for handles too.
local handle_methods = {}
for name, method in pairs(methods) do
  handle_methods[name] = function(headers, ...)
    return method(istype(headers_type, headers) and box_of(headers) or headers, ...)
  end
end

headers_type = ffi.metatype("struct headers", {
  __index = function(headers, name)
    return handle_methods[name] or header(headers, name)
  end,
  __newindex = function(headers, name, value)
    if type(name) == "string" and type(value) == "string"
      and set_header(boxes, headers[SLOT], headers[GENERATION], name, #name, value, #value) == FOUND then
      return
    end
    set_other_header(box_of(headers), name, value)
  end,
  __eq = function(a, b)
    return istype(headers_type, a) and istype(headers_type, b) and a[SLOT] == b[SLOT]
      and a[GENERATION] == b[GENERATION]
  end,
  __pairs = function(headers) return methods.each(box_of(headers)) end,
  __tostring = function() return "headers" end,
})

-- As message_access.cpp numbers them.
local text_fields = { method = 0, path = 1, pathname = 2, scheme = 3, originalPath = 4, host = 5 }

local metatable = access.message_metatable
local other_field = metatable.__index

function metatable.__index(message, name)
  local field = text_fields[name]
  if field then
    if read_field(message, field, text) == FOUND then return ffi_string(text.bytes, text.size) end
  elseif name == "headers" then
    local box = cast(box_type, message)
    if box.message ~= nil then return headers_type(box.slot, box.generation) end
  elseif name == "status" then
    local status = read_status(message)
    if status ~= 0 then return status end
  end
  return other_field(message, name)
end
