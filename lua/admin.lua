-- The admin address: a script like any other, in a thread of its own, with one thing more than others have,
-- the global
-- `process` (lua/pages.lua).
local JSON = "application/json"
local TEXT = "text/plain; charset=utf-8"

local function text_of(kind, body, status)
  local headers = { ["content-type"] = kind, ["cache-control"] = "no-store" }
  return Message { status = status or 200, headers = headers, body = body }
end

local function complaint(status, sentence)
  return text_of(TEXT, sentence .. "\n", status)
end

--- A page whose text the process makes.
local function asks(kind, what)
  return function()
    local text, err = process.ask(what, "")
    if not text then return complaint(503, err) end
    return text_of(kind, text)
  end
end

local graph_kinds = { text = TEXT, mermaid = TEXT, svg = "image/svg+xml" }

local function pipelines(req)
  local format = req.query.format or "text"
  local kind = graph_kinds[format]
  if not kind then return complaint(400, "a format is text, mermaid or svg") end
  local text, err = process.ask("pipelines", format)
  if not text then return complaint(503, err) end
  return text_of(kind, text)
end

local pages = {
  ["/health"] = { GET = function()
    local state = process.ask("health")
    return text_of(TEXT, state .. "\n", state == "ok" and 200 or 503)
  end },
  ["/status"] = { GET = asks(JSON, "status") },
  ["/upstreams"] = { GET = asks(JSON, "upstreams") },
  ["/metrics"] = { GET = asks("text/plain; version=0.0.4; charset=utf-8", "metrics") },
  ["/pipelines"] = { GET = pipelines },
  ["/reload"] = { POST = function()
    local text, err = process.ask("reload")
    if not text then return complaint(422, err) end
    return text_of(JSON, text)
  end },
  ["/stop"] = { POST = function()
    local text, err = process.ask("stop")
    if not text then return complaint(503, err) end
    return text_of(JSON, text, 202)
  end },
}

local function not_allowed(page)
  local methods = {}
  for method in pairs(page) do methods[#methods + 1] = method end
  if page.GET then methods[#methods + 1] = "HEAD" end
  table.sort(methods)
  local answer = complaint(405, "this page takes " .. table.concat(methods, " and "))
  answer.headers.allow = table.concat(methods, ", ")
  return answer
end

listen(process.address, { maxConnections = process.connectionsMax, maxConnectionsPerIP = 0 }):demuxHTTP("pages")

pipeline("pages")
  -- At the head: who has no token sends no body either.
  :handleMessageStart(function(req)
    if process.allows(req.headers.authorization) then return end
    local answer = complaint(401, "this needs the token: Authorization: Bearer TOKEN")
    answer.headers["www-authenticate"] = 'Bearer realm="perilune"'
    return answer
  end)
  :replaceMessage(function(req)
    local page = pages[req.pathname]
    if page then
      local make = page[req.method == "HEAD" and "GET" or req.method]
      return make and make(req) or not_allowed(page)
    end
    local answer, err = process.page(req)
    if answer then return answer end
    if err then return complaint(500, err) end
    return complaint(404, "there is no page " .. req.pathname .. "; there are " .. (process.ask("pages")))
  end)
