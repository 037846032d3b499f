---@meta
-- Clusters of upstreams: their endpoints, the pool of connections to them, and what goes there.

---@alias EndpointEntry string|{ [1]: string, weight?: integer, priority?: integer } "host:port", "unix:path" or a table
---@alias Percentile string "p95": of the times that were seen lately
---@alias EvictReason
---| "idle-timeout" # reached `idleTimeout`, or what was learned
---| "ttl"
---| "uses-spent" # reached `maxMessages`
---| "evicted" # made room for another endpoint or worker
---| "idle-limit" # one more than `maxIdle`
---| "over-limit" # a limit was lowered
---| "discarded" # refused by `validate`
---| "drained" # renewed, or its endpoint is unhealthy or gone
---| "closed" # by the other side while idle
---| "unexpected-data" # sent what nobody had asked for
---| "failed" # ended with a request: it broke, or the answer closed it
---@alias Balance "round-robin"|"least-requests"|"random"|"hash"|"maglev"|"ring-hash"

---@class RetryOptions
---@field attempts? integer tries in all, the first one too; default 2
--- statuses, "5xx", or codes, or one of them; default the failures to connect, "reset" and "closed"
---@field on? integer|string|(integer|string)[]
---@field methods? "idempotent"|"any" "any" also sends again what may have been done already; default "idempotent"
---@field bodyLimit? Size of the request's body that is kept for it; a larger one is not sent again; default 64 KiB
---@field backoff? Time before the second try, at most; doubles with each; default 25 ms
---@field maxBackoff? Time default 250 ms, or ten times `backoff`

---@class HedgeOptions
---@field after? Time|Percentile when a second endpoint is asked too, for idempotent requests; the first answer counts
---@field connect? Time|Percentile when a second endpoint is dialled too; nothing of the request is sent twice
---@field max? integer further tries at the same time; default 1

---@class RetryBudgetOptions
---@field percent? integer of the requests under way may be retries; default 20
---@field min? integer retries are always allowed; default 3

---@class DNSOptions
---@field name string "host:port", or the name of a service
---@field service? boolean `name` is one of SRV records, such as "_http._tcp.example.org"; default false
---@field refreshMax? Time after which DNS is asked again, whatever the TTL; default 1 h

---@class HealthOptions
---@field path? string what is asked by GET; or `tcp`
---@field tcp? boolean only connects; default false
---@field host? string of the Host field; default the endpoint
---@field port? integer default the endpoint's
---@field interval? Time give or take a tenth; default 5 s
---@field timeout? Time default 2 s
---@field rise? integer checks passed in a row that make it healthy; default 2
---@field fall? integer checks failed in a row that make it unhealthy; default 3
---@field status? integer|string|integer[] what passes: 204, { 200, 299 } or "200-299"; default { 200, 399 }

---@class EjectionOptions
---@field consecutive5xx? integer failures and statuses from 500 on, in a row; 0: never; default 5
---@field consecutiveGateway? integer failures and 502, 503 and 504, in a row; 0: never; default 5
---@field consecutiveLocal? integer tries without an answer, in a row; 0: never; default 5
---@field interval? Time of success rates, and to be forgiven an ejection; default 10 s
---@field time? Time the first ejection; the second is twice as long; default 30 s
---@field maxTime? Time default ten times `time`
---@field maxPercent? integer of the endpoints that may be out; default 10
---@field successRate? boolean also ejects whose rate is far below the others'; default false

---@class StickyOptions
---@field cookie string its name
---@field path? string default "/"
---@field maxAge? Time false: as long as the browser is open (the default)

---@class SlowStartOptions
---@field window Time over which an endpoint that is new, or healthy again, comes to its weight
---@field aggression? number 1 is a straight line, more is fast at first; default 1

---@class UpstreamOptions
--- its members, until `set` says otherwise; weight 0 is never chosen, priority 0 is asked first
---@field endpoints? EndpointEntry[]
---@field dns? string|DNSOptions where the members come from instead: the addresses of "host:port", or of a service
---@field balance? Balance who is asked; "hash" is "maglev"; default "round-robin"
---@field key? fun(ctx: Context): string|number|boolean|nil what hashing goes by, nil: anywhere; may wait
---@field boundedLoad? number how many times its share an endpoint may have, by hashing; default no bound
---@field panic? integer percent; with fewer of a priority healthy, health is not believed; default 50
---@field slowStart? Time|SlowStartOptions default never
---@field sticky? string|StickyOptions|false a cookie that names the endpoint, or its name; default none
---@field maxConnections? integer in all workers, connecting ones too; 0: no limit; default 1024
---@field maxConnectionsPerEndpoint? integer in all workers; default no limit
---@field maxIdle? integer idle ones of a worker; default 256
---@field maxMessages? integer requests that a connection serves; default no limit
---@field maxRequests? integer under way in all workers; further ones are a 503; default no limit
---@field queue? integer requests that wait for a connection; 0: nobody waits; default 1024
---@field queueTimeout? Time default 5 s
---@field idleTimeout? Time of a connection between requests, at most; default 30 s
---@field learnIdle? boolean keeps them shorter where the server does; default true
---@field ttl? Time of a connection, give or take a tenth; default 1 h
---@field order? "lifo"|"fifo" which idle connection is taken; default "lifo"
---@field pipelining? integer requests on the wire of a connection; default 1
---@field preconnect? number connections for each request, opened ahead: 1 to 3; default 1
---@field floor? integer connections of each endpoint kept open, in all workers; default 0
---@field purge? Time how often half of the idle connections that nobody needed close; default never
---@field drainTimeout? Time after which what still runs on a removed endpoint is cut; default never
---@field connectTimeout? Time default 5 s
---@field readTimeout? Time silence of an endpoint that is asked something; default 60 s
---@field writeTimeout? Time without progress in sending; default 60 s
---@field bind? string local address
---@field bufferLimit? Size bytes buffered per direction; default 256 KiB
---@field timeout? Time to the answer's head, waits and retries included; default never
---@field tryTimeout? Time the same for each try; default never
---@field host? "client"|"endpoint"|string the Host field: as it came, the endpoint's, or this; default "client"
---@field forwarded? boolean adds X-Forwarded-For, -Proto and -Host; default true
---@field tunnelIdleTimeout? Time of a tunnel without any byte; default 1 h
---@field retry? RetryOptions|false default none
---@field retryBudget? RetryBudgetOptions
---@field hedge? HedgeOptions|false default none
---@field health? string|HealthOptions|false a path is { path = … }; default none
---@field ejection? boolean|EjectionOptions default true
---@field onLease? fun(ctx: Context) a connection was taken, `ctx` is its own; may wait
---@field onRelease? fun(ctx: Context) it came back; may wait
---@field onEvict? fun(ctx: Context, reason: EvictReason) the pool let go of it; may wait
---@field validate? fun(ctx: Context): boolean? before an idle one is used again; false closes it; may wait

--- A cluster of endpoints with its pool, at the top of a file. The name is known to all workers, which share
--- limits and health.
---@param name string
---@param options UpstreamOptions
---@return Cluster
function upstream(name, options) end

---@class UpstreamRequestOptions
---@field timeout? Time for the whole response; default that of the upstream, or 30 s
---@field tryTimeout? Time to the head of each try's answer; default that of the upstream
---@field key? string|number for hashing
---@field endpoint? string only this one, "10.0.0.1:8080"
---@field pool? string connections of one pool are not used by another
---@field tenant? string|number those who wait for a connection take turns by it
---@field host? "client"|"endpoint"|string default that of the upstream
---@field retry? RetryOptions|false default that of the upstream
---@field hedge? HedgeOptions|false default that of the upstream
---@field bodyLimit? Size of the response; default 1 MiB

--- What `upstream` gives.
---@class Cluster
local U = {}

--- Sends a request of the script's own and waits for the whole response: the same pool, health and retries.
---@param msg Message is copied
---@param options? UpstreamRequestOptions
---@return Message? response
---@return Error? err
function U:request(msg, options) end

--- Replaces the endpoints, in every worker. Those that stay keep their connections, removed ones drain.
---@param endpoints (EndpointEntry|EndpointState)[]
function U:set(endpoints) end

--- Numbers of all workers together, of the endpoints that it has now.
---@return ClusterStats
function U:stats() end

--- Its endpoints as they stand.
---@return EndpointState[]
function U:endpoints() end

--- Says in sentences why connections of this worker are reused, or not.
---@param endpoint? string default all
---@return string
function U:explain(endpoint) end

--- Closes idle connections now, and busy ones after their request, in every worker; requests open new ones.
---@param endpoint? string default all
function U:drain(endpoint) end

---@class ClusterConnections
---@field total integer made so far
---@field active integer
---@field idle integer
---@field connecting integer
---@field failed integer refused, unreachable or not resolved
---@field timedOut integer
---@field closedIdle integer by the other side
---@field unexpectedData integer that sent something unasked while idle
---@field evicted integer that made room for others
---@field overflow integer requests refused because a limit was reached

---@class ClusterRequests
---@field total integer tries
---@field active integer
---@field pending integer waiting for a connection
---@field retried integer tries after the first
---@field cancelled integer by their client
---@field failed integer tries without an answer

---@class DurationStats
---@field count integer
---@field mean number seconds
---@field p50 number seconds; percentiles are right to a factor of two, and at most 8.4
---@field p95 number seconds
---@field p99 number seconds

---@class EndpointStats
---@field connections ClusterConnections
---@field requests ClusterRequests
---@field reuse number the part of what was sent that went on a connection which had served before, 0 to 1
---@field queueWait DurationStats in the queue, without the dial that may follow
---@field connectTime DurationStats
---@field answerTime DurationStats to the answer's head
---@field health "healthy"|"unhealthy"|"unknown"
---@field ejected boolean
---@field weight integer
---@field priority integer

---@class ClusterStats
---@field connections ClusterConnections
---@field requests ClusterRequests
---@field reuse number
---@field queueWait DurationStats
---@field connectTime DurationStats
---@field answerTime DurationStats
---@field endpoints table<string, EndpointStats> by address

---@class EndpointState
---@field address string
---@field weight integer
---@field priority integer
---@field health "healthy"|"unhealthy"|"unknown"
---@field ejected boolean
---@field active integer requests under way, of all workers
