-- Pages of the admin address. A request and its answer go from one thread to another as bytes: a script's
-- page runs in a worker, and what serves the address has a thread of its own.
local globals, core = ...

local fail, describe, encode, decode, results = core.fail, core.describe, core.encode, core.decode, core.results
local error, ipairs, type = error, ipairs, type
local parts_of, message_of = core.message_parts, core.message_of
local Message, bytes_max = globals.Message, core.admin_page_bytes_max

-- As lua/admin.lua serves them.
local built_in = { "/health", "/metrics", "/pipelines", "/reload", "/status", "/stop", "/upstreams" }

local function answer_of(place, value)
  if type(value) == "string" then
    return Message { headers = { ["content-type"] = "text/plain; charset=utf-8" }, body = value }
  end
  if core.is_message(value) and value.status then return value end
  local hint = value == nil and " (forgot return?)" or ""
  error(place .. ": admin: its function expects to give a response or a text, got " .. describe(value) .. hint, 0)
end

--- Adds a page to the admin address: who asks for the path gets what the function returns.
function globals.admin(path, fn)
  if type(path) ~= "string" or not path:match("^/[^?#%s]+$") then
    fail("admin: argument 1 (path) expects a path such as \"/sessions\", got " .. describe(path))
  end
  core.check_function("admin", "2 (fn)", fn)
  if not core.is_loading() then fail("admin: pages are added at the top of a file") end
  for _, name in ipairs(built_in) do
    if path == name or path:sub(1, #name + 1) == name .. "/" then
      fail("admin: " .. describe(name) .. " is a page of the engine; give yours another path")
    end
  end
  local place = core.place()
  core.add_page(path, function(_, bytes)
    return encode(parts_of(answer_of(place, fn(message_of(decode(bytes))))), bytes_max)
  end)
end

if not core.process_ask then return end

-- Only the script of the admin address has this.
globals.process = {
  address = core.process_address,
  allows = core.process_allows,
  connectionsMax = core.process_connections_max,
  --- Asks the process and waits for its text; or nil and a sentence.
  ask = function(what, argument) return results(core.process_ask(what, argument)) end,
  --- The page of a script for a request; or nil and a sentence; nil alone where there is none.
  page = function(req)
    local bytes, err = results(core.process_ask("page", req.pathname .. "\n" .. encode(parts_of(req), bytes_max)))
    if not bytes then return nil, err end
    if bytes == "" then return nil end
    return message_of(decode(bytes))
  end,
}
