-- What stands around a script under test: the proxy itself, clients, upstreams, names. All of it is the
-- engine's own network in memory; here is what tests call.
local globals, core = ...

local error, setmetatable, tonumber, tostring, type, unpack, xpcall =
  error, setmetatable, tonumber, tostring, type, unpack, xpcall
local fail, describe, results = core.fail, core.describe, core.results
local Message = globals.Message

local function missing(what, class)
  return function(_, name) fail(what .. " has no " .. describe(name) .. core.suggest(name, class)) end
end

-- ---- failures

--- An error value as a failure: what was raised, and where.
function core.explain(err)
  if err == core.cancelled or core.is_failure(err) then return err end
  return core.make_failure(core.test_describe_error(err))
end

--- Runs a function of the test beside the test itself: what it raises fails the test. `what` says what it is.
local function guarded(what, fn, ...)
  local function pass_on(ok, ...)
    if ok then return ... end
    local failure = ...
    if failure == core.cancelled then error(failure, 0) end
    core.test_fail(what .. ": " .. failure.message, unpack(failure.places))
    error(what .. ": " .. failure.message, 0)
  end
  return pass_on(xpcall(fn, core.explain, ...))
end
core.guarded = guarded

local function seconds(what, value)
  local time = core.seconds(value)
  if not time then fail(what .. ' expects a number of seconds or "5s", got ' .. describe(value)) end
  return time
end
core.test_seconds = seconds

local wait_options = { timeout = true }

local function patience(what, options)
  if options == nil then return nil end
  core.check_options(what, options, wait_options)
  return options.timeout ~= nil and seconds(what .. ': option "timeout"', options.timeout) or nil
end

-- ---- connections

local Client = {}
local client_metatable = {
  __index = setmetatable(Client, { __index = missing("a client", Client) }),
  __tostring = function() return "client" end,
  __metatable = "client",
}

local function make_client(connection, authority)
  return setmetatable({ connection = connection, authority = authority }, client_metatable)
end

local request_options = {
  method = true, path = true, headers = true, body = true, json = true, trailers = true, close = true, timeout = true,
  from = true,
}

--- A request as tests write it: a table, or the path alone.
local function read_request(what, request)
  if request == nil then request = {} end
  if type(request) == "string" then request = { path = request } end
  core.check_options(what, request, request_options)
  return request
end

local function send_request(client, what, request)
  local headers, has_host = {}, false
  if request.headers ~= nil and type(request.headers) ~= "table" then
    fail(what .. ': option "headers" expects a table, got ' .. describe(request.headers))
  end
  for name, value in globals.pairs(request.headers or {}) do
    headers[name] = value
    if type(name) == "string" and name:lower() == "host" then has_host = true end
  end
  if not has_host then headers.host = client.authority end
  local body = request.body
  local streams = type(body) == "function"
  local message = Message {
    method = request.method or "GET", path = request.path, headers = headers, trailers = request.trailers,
    body = not streams and body or nil, json = request.json,
  }
  local connection = client.connection
  if not core.test_send_head(connection, message, streams, request.close) then return end
  if not streams then return #message.body > 0 and core.test_send(connection, message.data) end
  while true do
    local piece = body()
    if not piece then break end
    if #piece > 0 then core.test_send(connection, ("%x\r\n%s\r\n"):format(#piece, tostring(piece))) end
  end
  core.test_send(connection, "0\r\n\r\n")
end

--- Sends a request on this connection and waits for the response; or nil, err.
function Client:request(request)
  request = read_request("client:request", request)
  if request.from ~= nil then fail('client:request: "from" is an option of proxy:connect') end
  local time = request.timeout ~= nil and seconds('client:request: option "timeout"', request.timeout) or nil
  send_request(self, "client:request", request)
  return results(core.test_read(self.connection, "response", request.method or "GET", time, "client:request"))
end

--- Waits for the next response on this connection, to a request with this method; or nil, err.
function Client:response(method, options)
  if method ~= nil and type(method) ~= "string" then
    fail("client:response: argument 1 (method) expects a string, got " .. describe(method))
  end
  local time = patience("client:response", options)
  return results(core.test_read(self.connection, "response", method or "GET", time, "client:response"))
end

--- Sends bytes as they are. False when this side has closed the connection.
function Client:send(bytes) return core.test_send(self.connection, bytes) end

--- Waits for bytes: whatever comes next, exactly so many, or up to and with a text; or nil, err.
function Client:receive(what, options)
  local kind = what == nil and "some" or type(what) == "number" and "count" or type(what) == "string" and "until"
  if not kind or (kind == "count" and (what < 0 or what % 1 ~= 0)) then
    fail("client:receive: argument 1 (what) expects a number of bytes or a text, got " .. describe(what))
  end
  local time = patience("client:receive", options)
  return results(core.test_read(self.connection, kind, what, time, "client:receive"))
end

--- Waits for the end of the connection and gives all that came before; or nil, err when it is cut.
function Client:receiveAll(options)
  local time = patience("client:receiveAll", options)
  return results(core.test_read(self.connection, "all", nil, time, "client:receiveAll"))
end

--- Sends an end (FIN); reading goes on.
function Client:finish() core.test_close(self.connection, "end") end

--- Closes the connection once what was sent is on its way.
function Client:close() core.test_close(self.connection, "close") end

--- Resets the connection.
function Client:reset() core.test_close(self.connection, "reset") end

--- "open"; "ended" or "reset" when the other side did that; "closed" when this side did.
function Client:state() return core.test_state(self.connection) end

--- Opens a connection and waits until it is there.
local function connect(what, address, from, time)
  local connection = core.test_open(address, from, what)
  local ok, err = results(core.test_read(connection, "connected", nil, time, what))
  if ok == nil then return nil, err end
  return make_client(connection, address:find("^unix:") and "localhost" or address)
end

-- ---- upstreams

--- What an upstream may do beside answering, by marker.
local fates = {}
local function fate(name, bytes, answer)
  local marker = setmetatable({}, { __tostring = function() return "test." .. name end, __metatable = "test." .. name })
  fates[marker] = { name = name, bytes = bytes, answer = answer }
  return marker
end
core.fates = { fate = fate, known = fates }

--- Upstreams by what the test calls their address.
local upstreams = {}

local function answer_of(what, responder)
  if type(responder) == "function" then return responder end
  if describe(responder) == "a Message" then
    if responder.method then fail(what .. ": a request answers nothing; give a response") end
    return function() return responder end
  end
  if type(responder) == "string" then
    local message = Message(responder)
    return function() return message end
  end
  return nil
end
core.answer_of = answer_of

local function serve(upstream)
  local address = upstream.address
  local function answer(req, ctx)
    upstream.requests[#upstream.requests + 1] = core.test_copy(req)
    return guarded("the upstream " .. address, function()
      local message = upstream.answer(req, ctx)
      if type(message) == "string" then message = Message(message) end
      if message == nil then error("its function gave nil; forgot return?", 0) end
      return message
    end)
  end
  local function opened()
    upstream.connections, upstream.open = upstream.connections + 1, upstream.open + 1
  end
  local function closed() upstream.open = upstream.open - 1 end
  core.test_serve(address, answer, opened, closed, core.adorns)
  upstream.is_serving = true
end

local function serve_raw(upstream, fn)
  local server = core.test_serve_raw(upstream.address)
  upstream.is_serving = false
  core.after(0, function()
    while true do
      local connection = results(core.test_accept(server))
      if not connection then return end
      upstream.connections = upstream.connections + 1
      core.after(0, function()
        guarded("the upstream " .. upstream.address, fn, make_client(connection, upstream.address))
      end)
    end
  end)
end

local upstream_fields = { address = true, requests = true, connections = true, open = true }

local upstream_metatable = {
  __index = missing("an upstream of a test", upstream_fields),
  __tostring = function() return "upstream" end,
  __metatable = "upstream",
}

local function set_upstream(address, responder)
  local what = "proxy:upstream"
  if type(address) ~= "string" then
    fail(what .. ': argument 1 (address) expects "ip:port", "name:port" or "unix:path", got ' .. describe(address))
  end
  local upstream = upstreams[address]
  if not upstream then
    upstream = setmetatable({
      address = address, requests = {}, connections = 0, open = 0, answer = false, is_serving = false,
    }, upstream_metatable)
    upstreams[address] = upstream
  end
  local special = fates[responder]
  local answer = answer_of(what, special and special.answer or responder)
  if special and special.raw then
    serve_raw(upstream, special.raw)
    return upstream
  end
  if not special and not answer then
    fail(what .. ": argument 2 expects a Message, a function or one of test.blackhole, refuse, reset, silent, "
      .. "slow(…), cut(…), raw(…), got " .. describe(responder))
  end
  if answer then
    upstream.answer = answer
    -- Another answer is no other upstream: its connections stay. What happens to them is one.
    if special and special.name ~= "slow" or not upstream.is_serving then serve(upstream) end
  end
  if special and special.name ~= "slow" then
    core.test_fate(address, special.name, special.bytes)
    upstream.is_serving = false
  end
  return upstream
end

-- ---- the proxy

local Proxy = {}
local proxy_metatable = {
  __index = setmetatable(Proxy, { __index = missing("a proxy under test", Proxy) }),
  __tostring = function() return "proxy" end,
  __metatable = "proxy",
}

function core.make_proxy(number) return setmetatable({ number = number }, proxy_metatable) end

--- Where a client connects to for a port, or an address, that the script listens at.
local function entrance(what, proxy, port)
  local addresses = core.test_listens(proxy.number)
  for i = 1, #addresses do
    local address = addresses[i]
    local host, number = address:match("^(.*):(%d+)$")
    if host == "0.0.0.0" then host = "127.0.0.1" elseif host == "[::]" then host = "[::1]" end
    if address == port then return host and host .. ":" .. number or address end
    if number and tonumber(number) == port then return host .. ":" .. number end
  end
  if type(port) == "string" and port:find("^[%d.]+:%d+$") then
    for i = 1, #addresses do
      if addresses[i] == "0.0.0.0:" .. port:match(":(%d+)$") then return port end
    end
  end
  fail(what .. ": the script does not listen at " .. describe(port) .. "; it listens at "
    .. (#addresses == 0 and "nothing" or table.concat(addresses, ", ")))
end
core.entrance = entrance

--- Says what is at an address: an upstream that answers, or one that fails.
function Proxy:upstream(address, responder) return set_upstream(address, responder) end -- luacheck: ignore self

--- Sends a request over a connection of its own and waits for the response; or nil, err.
function Proxy:request(port, request)
  request = read_request("proxy:request", request)
  local time = request.timeout ~= nil and seconds('proxy:request: option "timeout"', request.timeout) or nil
  local address = entrance("proxy:request", self, port)
  local client, err = connect("proxy:request", address, request.from, time)
  if not client then return nil, err end
  send_request(client, "proxy:request", request)
  local res, failure =
    results(core.test_read(client.connection, "response", request.method or "GET", time, "proxy:request"))
  client:close()
  return res, failure
end

local connect_options = { from = true, timeout = true }

--- Opens a connection to the script and waits until it is there; or nil, err.
function Proxy:connect(port, options)
  options = options == nil and {} or options
  core.check_options("proxy:connect", options, connect_options)
  local time = options.timeout ~= nil and seconds('proxy:connect: option "timeout"', options.timeout) or nil
  return connect("proxy:connect", entrance("proxy:connect", self, port), options.from, time)
end

--- Client connections that the script has open.
function Proxy:sessions() return core.test_sessions(self.number) end

--- Replaces the script by what its file, or another one, says now.
function Proxy:reload(file)
  if file ~= nil and type(file) ~= "string" then
    fail("proxy:reload: argument 1 (file) expects a path, got " .. describe(file))
  end
  core.test_reload(self.number, file)
end

-- ---- names

local dns_options = { ttl = true }
local target_options = { host = true, port = true, priority = true, weight = true }

--- Says what a name resolves to, from now on.
function core.set_dns(name, what, options)
  if type(name) ~= "string" then fail("test.dns: argument 1 (name) expects a string, got " .. describe(name)) end
  options = options == nil and {} or options
  core.check_options("test.dns", options, dns_options)
  local ttl = options.ttl ~= nil and seconds('test.dns: option "ttl"', options.ttl) or 60
  if what == nil then return core.test_dns_state(name, "remove") end
  if what == "fail" or what == "silent" then return core.test_dns_state(name, what) end
  if type(what) ~= "table" then
    fail('test.dns: argument 2 expects a list of addresses or services, "fail", "silent" or nil, got '
      .. describe(what))
  end
  local flat = {}
  local is_service = type(what[1]) == "table"
  for i = 1, #what do
    local entry = what[i]
    if is_service ~= (type(entry) == "table") or not (is_service or type(entry) == "string") then
      fail("test.dns: the list holds addresses or services, all alike; got " .. describe(entry))
    elseif is_service then
      core.check_options("test.dns", entry, target_options)
      if type(entry.host) ~= "string" or type(entry.port) ~= "number" then
        fail("test.dns: a service is { host =, port =, priority =, weight = }")
      end
      local at = #flat
      flat[at + 1], flat[at + 2] = entry.host, entry.port
      flat[at + 3], flat[at + 4] = entry.priority or 0, entry.weight or 0
    else
      flat[i] = entry
    end
  end
  local add = is_service and core.test_dns_service or core.test_dns_hosts
  add(name, ttl, unpack(flat))
end
