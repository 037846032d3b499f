---@meta
-- algo: routing, pools, caches, balancing.

---@class algo
algo = {}

---@class URLRouter
local R = {}

--- Adds a route, or replaces the value of the same pattern.
---@param pattern string "/path", "/path/*", "host/path" or "*.host/path"
---@param value any not nil
function R:add(pattern, value) end

--- The value of the most fitting pattern: the exact host, then `*.rest`, then patterns without a host; in a
--- host an exact path before the longest `/x/*`. Query and port are cut, and dots at the end of the host. The
--- path is matched in its normal form: encoded letters, double slashes and dot segments lead around no route,
--- and a "%" that encodes nothing stands for itself ("/secret/%zz" is below "/secret/*").
---@param host? string
---@param path string
---@return any value nil when nothing fits
---@return string? rest what `*` stands for
---@return string? pattern
function R:find(host, path) end

--- Makes a router of a table from patterns to values.
---@param routes? table<string, any>
---@return URLRouter
function algo.URLRouter(routes) end

---@class LoadBalancer
local B = {}

--- Chooses a target; an equal key gets an equal one while that has a weight.
---@param key? string|number
---@return string? target nil when every weight is 0
function B:select(key) end

--- The work that `select` gave to a target is done.
---@param target string
function B:deselect(target) end

--- Changes a target's weight, or adds it.
---@param target string
---@param weight integer 0 (never chosen) to 1000000
function B:set(target, weight) end

---@alias Targets (string|{ [1]: string, weight?: integer })[] such as { "a:1", { "b:2", weight = 2 } }

--- Targets in turns, as often as their weights say, spread evenly.
---@param targets Targets
---@return LoadBalancer
function algo.RoundRobinLoadBalancer(targets) end

--- The target with the least work in progress for its weight.
---@param targets Targets
---@return LoadBalancer
function algo.LeastWorkLoadBalancer(targets) end

--- The target that the key's hash chooses, the same in every worker; a change of one target moves few keys.
---@param targets Targets
---@return LoadBalancer
function algo.HashingLoadBalancer(targets) end

---@class Percentile
local P = {}

--- Counts a value.
---@param value number
function P:observe(value) end

--- The value below which so many percent of the values lie.
---@param percent number 0 to 100
---@return number? value nil before the first observation
function P:calculate(percent) end

--- Forgets all values.
function P:reset() end

--- Percentiles from a histogram.
---@param bounds number[] upper bounds of the buckets, ascending
---@return Percentile
function algo.Percentile(bounds) end

--- A whole number below 2^53, equal on every machine and in every worker.
---@param value string|number
---@return integer
function algo.hash(value) end

--- A random UUID, version 4.
---@return string
function algo.uuid() end

---@class ResourcePool
local L = {}

--- Leases a resource; waits where a limit is reached.
---@param key any
---@param tenant? any waiters of one key take turns by tenant
---@return any resource
---@return Error? err queue-full, queue-timeout, draining, or what allocate gave
function L:allocate(key, tenant) end

--- Gives a resource back; one that is not leased is an error.
---@param resource any
---@param verdict? "discard" destroys it
function L:free(resource, verdict) end

--- How often a resource was leased, this time included; nil when the pool does not have it.
---@param resource any
---@return integer?
function L:uses(resource) end

--- Numbers of one key or of all.
---@param key? any
---@return ResourcePoolStats
function L:stats(key) end

--- Destroys what is idle now and what is leased once it is freed; allocate gives `draining` meanwhile.
---@param key? any default all keys
function L:drain(key) end

--- Ends a drain of all keys.
function L:reopen() end

--- Gives one key limits of its own; without options those of the pool again.
---@param key any
---@param options? ResourcePoolKeyOptions
function L:set(key, options) end

---@class ResourcePoolStats
---@field leased integer
---@field idle integer
---@field allocating integer being made
---@field waiting integer waiters
---@field allocated integer made so far
---@field failed integer allocate raised or gave nil
---@field reused integer leases of an idle resource
---@field queued integer leases that had to wait
---@field queueFull integer
---@field queueTimeout integer
---@field cancelled integer waiters that left
---@field closed table<string, integer> resources that left, by the reason that `destroy` is told

---@class ResourcePoolKeyOptions
---@field max? integer resources of one key; default no limit
---@field order? "lifo"|"fifo" default "lifo"
---@field idleTimeout? number|string|false seconds, or "5s"; false keeps nothing idle
---@field ttl? number|string seconds, or "1h", since allocation
---@field maxUses? integer leases that a resource serves

---@class ResourcePoolOptions: ResourcePoolKeyOptions
---@field total? integer resources over all keys; default no limit
---@field queue? integer waiters per key, default 1024; over all keys at most 16384
---@field queueTimeout? number|string seconds, or "5s" (the default)
---@field validate? fun(key: any, resource: any): boolean? may wait; false discards
---@field destroy? fun(key: any, resource: any, reason: string) may not wait

--- A pool of scarce things.
---@param allocate fun(key: any): any, Error? makes a resource; may wait
---@param options? ResourcePoolOptions
---@return ResourcePool
function algo.ResourcePool(allocate, options) end

---@class Cache
local C = {}

--- The value of a key, allocated when it is missing.
---@param key any
---@return any value
---@return any err what allocate gave
function C:get(key) end

--- Stores a value; the old one is released.
---@param key any
---@param value any
function C:set(key, value) end

--- Whether a key has a value now.
---@param key any
---@return boolean
function C:has(key) end

--- The value of a key, never allocated.
---@param key any
---@return any
function C:find(key) end

--- Releases one value.
---@param key any
---@return boolean was_there
function C:remove(key) end

--- Releases every value.
function C:clear() end

--- Goes through keys and values, as `for key, value in cache:each() do`; the cache may be changed meanwhile.
---@return fun(): any, any
function C:each() end

---@class CacheOptions
---@field size? integer values; the least recently used goes. Default no limit
---@field ttl? number|string seconds, or "5s"; default no limit

--- A memo with a destructor. Those that a session made are cleared when it ends.
---@param allocate? fun(key: any): any, any may wait
--- runs once for every value that leaves; may not wait. A cache without one may have its options here
---@param release? CacheOptions|fun(key: any, value: any)
---@param options? CacheOptions
---@return Cache
function algo.Cache(allocate, release, options) end
