-- test.chaos: many runs of whatever beforeEach has set up, each on a network that does everything a network
-- can do, drawn from the run's seed; between clients that come, ask, wait, hurry and leave as that seed says.
-- Every request must get exactly one answer, its own, or see its connection cut.
local globals, core = ...

local error, setmetatable, tostring, type = error, setmetatable, tostring, type
local fail, describe, results = core.fail, core.describe, core.results
local random = core.test_random
local Message = globals.Message
local test = core.test_table

local identity = "x-chaos-id"
local first_wait = 60 -- seconds for a connection: what cannot be had by then counts as cut

local options_known = {
  seeds = true, name = true, port = true, clients = true, requests = true, patience = true, identify = true,
}

local usual_requests = {
  { path = "/" },
  { path = "/", method = "HEAD" },
  { path = "/", method = "POST", body = "some words" },
  { path = "/", method = "PUT", body = ("0123456789"):rep(2000) },
}

local request_keys = { method = true, path = true, headers = true, body = true, json = true }

local function whole(option, value, least)
  if type(value) ~= "number" or value < least or value % 1 ~= 0 then
    fail('test.chaos: option "' .. option .. '" expects a whole number of at least ' .. least .. ", got "
      .. describe(value))
  end
  return value
end

local function read_requests(given)
  if given == nil then return usual_requests end
  if type(given) ~= "table" or given[1] == nil then
    fail('test.chaos: option "requests" expects a list of requests, got ' .. describe(given))
  end
  local requests = {}
  for i = 1, #given do
    local request = type(given[i]) == "string" and { path = given[i] } or given[i]
    core.check_options("test.chaos", request, request_keys)
    requests[i] = request
  end
  return requests
end

local function chance(percent) return random(100) <= percent end

-- One run: what was asked, and what came of it.
local Run = {}
Run.__index = Run

local function blame(sentence) error(sentence, 0) end

function Run:wire(request, id)
  local headers = { host = "proxy", [identity] = id }
  for name, value in globals.pairs(request.headers or {}) do headers[name:lower()] = value end
  local message = Message {
    method = request.method or "GET", path = request.path, headers = headers, body = request.body, json = request.json,
  }
  return message
end

--- Sends one request, in one of the ways there are. False when the client has left in the middle of it.
function Run:send(client, request, id)
  local message = self:wire(request, id)
  local body = message.body
  local in_pieces = #body > 0 and chance(30)
  core.test_send_head(client.connection, message, in_pieces, false)
  if #body == 0 then return true end
  local at = 1
  while at <= #body do
    local size = in_pieces and random(4000) or #body
    local piece = body:sub(at, at + size - 1)
    at = at + size
    if in_pieces then piece = ("%x\r\n%s\r\n"):format(#piece, piece) end
    client:send(piece)
    if chance(5) then globals.sleep(random(200) / 1000) end
    if chance(2) then
      if chance(50) then client:reset() else client:close() end
      return false
    end
  end
  if in_pieces then client:send("0\r\n\r\n") end
  return true
end

--- Waits for the answer to a request. False when there is no more to come on this connection.
function Run:take_answer(client, request, id)
  local method = request.method or "GET"
  local res, err =
    results(core.test_read(client.connection, "response", method, self.patience, "test.chaos"))
  local what = "request " .. id .. " (" .. method .. " " .. request.path .. ")"
  if not res then
    if err.code == "request-timeout" then
      blame(what .. " got no answer, and its connection is open after " .. self.patience .. " s")
    end
    if err.code ~= "reset" and err.code ~= "closed" and err.code ~= "truncated" then
      blame(what .. " got what is no answer: " .. tostring(err))
    end
    return false
  end
  local whose = res.headers[identity]
  if self.identifies and whose and whose ~= id then blame(what .. " got the answer to request " .. whose) end
  self.answered = self.answered + 1
  return true
end

--- Nothing may be behind the last answer, but that the proxy waits no longer for a request.
local function expect_silence(client, what)
  globals.sleep(0.5)
  if core.test_unread(client.connection) == 0 then return end
  local bytes = client:receive()
  if bytes and not bytes:find("^HTTP/1.1 408") then
    blame(what .. ": bytes came behind the last answer that nobody asked for: " .. core.show(bytes))
  end
end

function Run:client()
  globals.sleep(random(3000) / 1000)
  local client = self.proxy:connect(self.ports[random(#self.ports)], { timeout = first_wait })
  if not client then return end
  local left = random(6)
  while left > 0 do
    local window = chance(70) and 1 or math.min(left, random(4))
    left = left - window
    local asked = {}
    for i = 1, window do
      self.asked = self.asked + 1
      local id = tostring(self.asked)
      local request = self.requests[random(#self.requests)]
      asked[i] = { request = request, id = id }
      if not self:send(client, request, id) then return end
    end
    if chance(5) then
      -- One that does not wait.
      if chance(50) then client:reset() else client:close() end
      return
    end
    for i = 1, window do
      if not self:take_answer(client, asked[i].request, asked[i].id) then
        return client:close()
      end
    end
    if chance(20) then globals.sleep(random(2000) / 1000) end
  end
  if client:state() == "open" then expect_silence(client, "after request " .. self.asked) end
  client:close()
end

--- When all is over and the network is good again, nothing is open and a request is answered.
function Run:recover()
  core.test_chaos(false)
  local waited = 0
  while self.proxy:sessions() > 0 do
    if waited > self.patience then
      blame(self.proxy:sessions() .. " sessions are open " .. self.patience .. " s after the last client has left")
    end
    globals.sleep(1)
    waited = waited + 1
  end
  local request = self.requests[1]
  self.asked = self.asked + 1
  local client, err = self.proxy:connect(self.ports[1], { timeout = first_wait })
  if not client then blame("the script takes no connection any more: " .. tostring(err)) end
  -- Connections to upstreams that were made in bad weather may still break: an answer that says so is one.
  local message = self:wire(request, tostring(self.asked))
  core.test_send_head(client.connection, message, false, true)
  if #message.body > 0 then client:send(message.data) end
  if not self:take_answer(client, request, tostring(self.asked)) then
    blame("when all is good again a request is cut: " .. (request.method or "GET") .. " " .. request.path)
  end
  client:close()
end

local function run(options)
  local proxy = core.loaded[1]
  if not proxy then blame("test.chaos: no script is loaded; load it in beforeEach") end
  local self = setmetatable({
    proxy = proxy, asked = 0, answered = 0, patience = options.patience, identifies = options.identify,
    requests = options.requests, ports = options.port and { options.port } or core.test_listens(proxy.number),
  }, Run)
  if #self.ports == 0 then blame("test.chaos: the script listens at nothing") end
  core.test_chaos(true)
  local tasks = {}
  for i = 1, random(options.clients) do
    tasks[i] = test.spawn(function() self:client() end)
  end
  for i = 1, #tasks do tasks[i]:wait() end
  self:recover()
  core.test_count(self.asked, self.answered, self.asked - self.answered)
end

--- Declares a test of many runs with every fault there is.
function test.chaos(options)
  if not core.is_loading() then fail("test.chaos: it stands at the top of the file, like a test") end
  options = options == nil and {} or options
  core.check_options("test.chaos", options, options_known)
  local name = options.name == nil and "chaos" or options.name
  if type(name) ~= "string" or name == "" then
    fail('test.chaos: option "name" expects a sentence, got ' .. describe(name))
  end
  local seeds = options.seeds == nil and core.chaos_seeds or whole("seeds", options.seeds, 1)
  if options.port ~= nil and type(options.port) ~= "number" and type(options.port) ~= "string" then
    fail('test.chaos: option "port" expects a port, got ' .. describe(options.port))
  end
  local chosen = {
    port = options.port,
    clients = options.clients == nil and 8 or whole("clients", options.clients, 1),
    requests = read_requests(options.requests),
    patience = options.patience == nil and core.chaos_patience
      or core.test_seconds('test.chaos: option "patience"', options.patience),
    identify = options.identify ~= false,
  }
  core.declare(name, function() run(chosen) end, seeds)
  if core.is_chosen() then
    -- Each answer of an upstream says whose it is.
    core.adorns = function(res, ctx) res.headers[identity] = ctx.request.headers[identity] end
  end
end
