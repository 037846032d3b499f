---@meta
-- ctx: one per session, and a child of it for each request and connection.
-- Reads fall through to the parent, writes stay.

---@class Context
---@field client? Client Who connected. Read-only.
---@field session? Context The session's own context: write here what later requests shall see. Read-only.
---@field request? Message The request of this exchange as it stands. Read-only.
---@field response? Message Its response, once there is one. Read-only.
---@field upstream? Upstream Where the response came from. Read-only.
---@field elapsed number Seconds since the session, exchange or connection began. Read-only.
---@field key? any The key under which a connection is pooled. Read-only.
---@field [string] any What scripts keep here.

---@class Client
---@field id integer
---@field ip string of a request through a trusted proxy what that said (trustedProxies of listen)
---@field port? integer nil when the address is what a trusted proxy said
---@field localIP string
---@field localPort integer
---@field protocol "tcp"|"unix"
---@field tls table|false

---@class Upstream
---@field cluster? string the name of its `upstream`
---@field endpoint string
---@field attempts integer
---@field reused boolean
---@field connectTime number seconds
---@field firstByteTime number seconds

--- Declares names of ctx, at the top of a file; from then on another name is an error. Calls add up.
---@param names string[]
function context(names) end
