-- The same as plain.lua through a cluster; without the X-Forwarded fields, which plain.lua does not add
-- either.
local api = upstream("api", { endpoints = { "127.0.0.1:8080" } })

listen(8000):demuxHTTP("forward")

pipeline("forward"):forward(api, { forwarded = false })
