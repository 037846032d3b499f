-- http.get and http.request: requests of the script's own, over the engine's client.
local globals, core = ...

local type, next = type, next
local fail, describe, results = core.fail, core.describe, core.results
local Message = globals.Message

local get_options = { headers = true, timeout = true, bodyLimit = true }
local request_options = { headers = true, timeout = true, bodyLimit = true, body = true, json = true }
local table_options = {
  headers = true, timeout = true, bodyLimit = true, body = true, json = true, method = true, url = true,
}

--- "http://host:port/path?query" → target, authority, path
local function split(name, url)
  if type(url) ~= "string" then
    fail(name .. ': the URL expects a string such as "http://host/path", got ' .. describe(url))
  end
  local scheme, authority, path = url:match("^(%a[%w+.-]*)://([^/?#]*)([^#]*)")
  if not scheme then fail(name .. ': the URL expects the form "http://host/path", got ' .. describe(url)) end
  scheme = scheme:lower()
  if scheme ~= "http" then fail(name .. ": only http URLs can be asked, got " .. describe(url)) end
  if authority == "" or authority:find("@", 1, true) then
    fail(name .. ": the URL needs a host, and no user name, got " .. describe(url))
  end
  local target = authority:match(":%d+$") and authority or authority:gsub(":$", "") .. ":80"
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  return target, authority, path
end

local function request(name, method, url, options)
  local target, authority, path = split(name, url)
  local headers, has_host = {}, false
  if options.headers ~= nil then
    if type(options.headers) ~= "table" then
      fail(name .. ': option "headers" expects a table, got ' .. describe(options.headers))
    end
    for field, value in next, options.headers do
      headers[field] = value
      if type(field) == "string" and field:lower() == "host" then has_host = true end
    end
  end
  if not has_host then headers.host = authority end
  local timeout, limit = options.timeout, options.bodyLimit
  if timeout ~= nil then
    timeout = core.seconds(timeout)
    if not timeout or timeout <= 0 then
      local got = describe(options.timeout)
      fail(name .. ': option "timeout" expects a number of seconds or "5s" above 0, got ' .. got)
    end
  end
  if limit ~= nil then
    limit = core.bytes(limit)
    if not limit then
      local got = describe(options.bodyLimit)
      fail(name .. ': option "bodyLimit" expects a number of bytes or "16k", got ' .. got)
    end
  end
  local message = Message {
    method = method, path = path, headers = headers, body = options.body, json = options.json,
  }
  return results(core.http_send(message, target, timeout, limit, name))
end

local http = {}

--- GETs a URL and gives the response, body and all; or nil, err.
function http.get(url, options)
  options = options == nil and {} or options
  core.check_options("http.get", options, get_options)
  return request("http.get", "GET", url, options)
end

--- http.request(method, url, options) or http.request { method =, url =, headers =, body = }.
function http.request(method, url, options)
  if type(method) == "table" and url == nil then
    options = method
    core.check_options("http.request", options, table_options)
    method, url = options.method, options.url
    if method == nil then method = "GET" end
  else
    options = options == nil and {} or options
    core.check_options("http.request", options, request_options)
  end
  if type(method) ~= "string" then
    fail("http.request: the method expects a string, got " .. describe(method))
  end
  return request("http.request", method, url, options)
end

globals.http = http
