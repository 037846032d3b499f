-- upstream(name, options): clusters. All of it is the engine's; here is what scripts call.
local globals, core = ...

local setmetatable = setmetatable
local fail, describe, results = core.fail, core.describe, core.results

local Upstream = {}

--- Sends a request of the script's own; waits. The whole response, or nil, err.
function Upstream:request(msg, options) return results(core.upstream_request(self, msg, options)) end

--- Replaces the endpoints, in every worker.
function Upstream:set(endpoints) core.upstream_set(self, endpoints) end

--- Numbers of all workers together.
function Upstream:stats() return core.upstream_stats(self) end

--- Its endpoints as they stand.
function Upstream:endpoints() return core.upstream_endpoints(self) end

--- Says why connections are reused, or not.
function Upstream:explain(endpoint) return core.upstream_explain(self, endpoint) end

--- Closes idle connections, and busy ones after their request; new ones are opened for who comes.
function Upstream:drain(endpoint) core.upstream_drain(self, endpoint) end

setmetatable(Upstream, {
  __index = function(_, name)
    fail("an upstream has no " .. describe(name) .. core.suggest(name, Upstream))
  end,
})
core.upstream_methods(Upstream, function(_, name)
  fail("an upstream has no fields to set, as " .. describe(name) .. "; keep what belongs to it in a local table")
end)

--- Defines a cluster of endpoints, under a name that all workers share.
function globals.upstream(name, options) return core.upstream_define(name, options) end
