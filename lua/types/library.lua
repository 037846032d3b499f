---@meta
-- The library: what every script can use.

---@class json
---@field null lightuserdata JSON's null, which keeps its place in arrays and objects.
json = {}

--- JSON text of a value. A table with 1 to n is an array, an empty one an object (see json.array). Keys are
--- in byte order.
--- Raises for what has no JSON form: functions, NaN, infinities, holes, more than 64 levels.
---@param value any
---@return string
function json.encode(value) end

--- The value of a JSON text, at most 64 levels deep. null is json.null.
---@param text string|Data
---@return any value nil when it is not JSON
---@return string? err with line and column
function json.decode(text) end

--- Reads and decodes a file. Blocks while it reads: meant for the top of the file.
---@param path string relative to the file that names it
---@return any value nil when it fails
---@return string? err
function json.load(path) end

--- Marks a table as an array, even when it is empty, and returns it. Decoded arrays are marked.
---@generic T
---@param list? T[]
---@return T[]
function json.array(list) end

---@class url
url = {}

---@class URL
---@field scheme? string lower case
---@field user? string decoded
---@field password? string decoded
---@field authority? string host and port as written
---@field host? string lower case; an IPv6 address in brackets
---@field port? integer written, or meant by http, https, ws and wss
---@field path string with the query, as a request has it
---@field pathname string without the query
---@field query table<string, string> decoded; of several with one name the first
---@field fragment? string decoded

--- Takes a URL or a relative reference apart (RFC 3986).
---@param text string
---@return URL? url
---@return string? err
function url.parse(text) end

--- A query such as "a=1&b=2", names in byte order; a list gives several parameters.
---@param parameters table<string, string|number|boolean|(string|number|boolean)[]>
---@return string
function url.query(parameters) end

--- Percent-encodes everything but letters, digits and "-._~".
---@param text string
---@return string
function url.encode(text) end

--- Decodes %XX; "+" stays.
---@param text string
---@return string? text
---@return string? err
function url.decode(text) end

--- What a reference means where `base` is the current URL (RFC 3986 section 5).
---@param base string
---@param reference string
---@return string? url
---@return string? err
function url.resolve(base, reference) end

--- The normal form of a URL (RFC 3986 section 6.2.2).
---@param url string
---@return string? url
---@return string? err
function url.normalize(url) end

---@class base64
base64 = {}

--- Base64 with padding (RFC 4648 section 4).
---@param bytes string|Data
---@return string
function base64.encode(bytes) end

--- Base64 with the alphabet of URLs, without padding (RFC 4648 section 5).
---@param bytes string|Data
---@return string
function base64.encodeURL(bytes) end

--- Decodes both alphabets, with or without padding; no white space.
---@param text string|Data
---@return string? bytes
---@return string? err
function base64.decode(text) end

---@class hex
hex = {}

--- Two lower-case digits a byte.
---@param bytes string|Data
---@return string
function hex.encode(bytes) end

--- The reverse, in any case.
---@param text string|Data
---@return string? bytes
---@return string? err
function hex.decode(text) end

---@class time
time = {}

--- Seconds since 1970, with fractions.
---@return number
function time.now() end

--- Seconds on the engine's clock, which never goes back; only differences mean something.
---@return number
function time.monotonic() end

--- An HTTP date such as "Sun, 06 Nov 1994 08:49:37 GMT".
---@param seconds? number since 1970; default now
---@return string? date
---@return string? err
function time.format(seconds) end

--- Seconds since 1970 of an HTTP date, in any of its three forms (RFC 9110 section 5.6.7).
---@param text string
---@return number? seconds
---@return string? err
function time.parse(text) end

---@class file
file = {}

--- The content of a file. Blocks the worker while it reads: meant for the top of the file, and for small
--- files elsewhere.
---@param path string relative to the file that names it
---@param options? FileReadOptions
---@return string? content
---@return string? err
function file.read(path, options) end

---@class FileReadOptions
---@field limit? number|string bytes, or "16k"; default 64 MiB

---@class log
log = {}

--- Writes a record below the default level.
---@param text any as tostring gives it, a table as json.encode does
---@param fields? table<string, any> at most 32, written in the order of names; values like the text
function log.debug(text, fields) end

--- Writes a record.
---@param text any as tostring gives it, a table as json.encode does
---@param fields? table<string, any> at most 32, written in the order of names; values like the text
function log.info(text, fields) end

--- Writes a warning.
---@param text any as tostring gives it, a table as json.encode does
---@param fields? table<string, any> at most 32, written in the order of names; values like the text
function log.warn(text, fields) end

--- Writes an error.
---@param text any as tostring gives it, a table as json.encode does
---@param fields? table<string, any> at most 32, written in the order of names; values like the text
function log.error(text, fields) end

---@class stats
stats = {}

---@class MetricOptions
---@field help? string what it counts, for those who read the metrics

---@class HistogramOptions: MetricOptions
---@field buckets? number[] upper bounds, ascending; default 0.005 to 10, for seconds

---@class Counter
local C = {}

---@class Gauge
local G = {}

---@class Histogram
local H = {}

--- A number that only grows. Only at the top of a file; each worker has its own, readers get the sum. Of one
--- name there is one: defined again alike it is the same.
---@param name string letters, digits, _ and :
---@param labels? string[] names of labels
---@param options? MetricOptions
---@return Counter
function stats.Counter(name, labels, options) end

--- A number that goes up and down. As for counters, readers get the sum over the workers.
---@param name string letters, digits, _ and :
---@param labels? string[] names of labels
---@param options? MetricOptions
---@return Gauge
function stats.Gauge(name, labels, options) end

--- How values spread over buckets.
---@param name string letters, digits, _ and :
---@param labels? string[] names of labels
---@param options? HistogramOptions
---@return Histogram
function stats.Histogram(name, labels, options) end

--- Adds to a counter.
---@param amount? number at least 0; default 1
function C:inc(amount) end

--- The counter of these values, one for each label in its order. Worth keeping in a local; beyond 10000
--- combinations of a worker further ones are counted as "overflow".
---@param ... string|number|boolean
---@return Counter
function C:withLabels(...) end

--- Sets a gauge.
---@param value number
function G:set(value) end

--- Adds to a gauge.
---@param amount? number default 1
function G:inc(amount) end

--- Takes from a gauge.
---@param amount? number default 1
function G:dec(amount) end

--- The gauge of these values, one for each label in its order.
---@param ... string|number|boolean
---@return Gauge
function G:withLabels(...) end

--- Adds a value to its bucket.
---@param value number finite
function H:observe(value) end

--- The histogram of these values, one for each label in its order.
---@param ... string|number|boolean
---@return Histogram
function H:withLabels(...) end

---@class os
---@field env table<string, string> Variables of the environment; read-only.
os = {}

---@class http
http = {}

---@class HTTPGetOptions
---@field headers? table<string, string|number|(string|number)[]>
---@field timeout? number|string seconds, or "5s"; default 30, for the whole exchange
---@field bodyLimit? number|string bytes, or "1m"; default 1 MiB of response body

---@class HTTPRequestOptions: HTTPGetOptions
---@field body? string|Data
---@field json? any

---@class HTTPRequestTable: HTTPRequestOptions
---@field method? string default "GET"
---@field url string

--- GETs a URL; waits for the whole response.
---@param url string "http://host:port/path"
---@param options? HTTPGetOptions
---@return Message? response
---@return Error? err
function http.get(url, options) end

--- Sends a request and waits for the whole response; all in one table works too.
---@param method string|HTTPRequestTable
---@param url? string "http://host:port/path"
---@param options? HTTPRequestOptions
---@return Message? response
---@return Error? err
function http.request(method, url, options) end

--- Waits; other sessions run meanwhile.
---@param time number|string seconds, or "250ms"
function sleep(time) end

---@class EveryOptions
---@field worker? "each"|"one" default "each": locals are per worker
---@field atStart? boolean runs once at the start too; default false

--- Calls a function again and again; runs never overlap.
---@param interval number|string seconds, or "5s"
---@param fn fun(ctx: Context) may wait
---@param options? EveryOptions
function every(interval, fn, options) end

--- Calls a function once, later: at the top of a file, or in a handler for what is to run beside it. At a
--- reload what the top of a file asked for is called off; what handlers asked for goes on while its version
--- has connections, and to its end where it has begun.
---@param time number|string seconds, or "5s"
---@param fn fun(ctx: Context) may wait
function after(time, fn) end

--- Adds a page to the admin address, at the top of a file: who asks for the path gets what the function
--- gives. It may wait, for 30 s. It runs in worker 0, in the newest version of the script.
---@param path string such as "/sessions"; not one of the engine's, as "/status"
---@param fn fun(req: Message): Message|string
function admin(path, fn) end

--- A dictionary that all workers see, and that outlives the script. Values are booleans, numbers, strings,
--- Messages and tables of plain data; they are copied in and out. Each call is one step for all workers.
---@class Shared
local Shared = {}

--- The value under a key, and the seconds that it is fresh yet: negative once it is stale, math.huge without
--- `ttl`.
---@param key string
---@return any value nil where there is none
---@return number? freshFor
function Shared:get(key) end

--- Puts a value in the place of any other.
---@param key string
---@param value boolean|number|string|Message|table
---@param options? SharedTimes
---@return boolean? ok nil when it takes more than a sixteenth of the dictionary
---@return Error? err
function Shared:set(key, value, options) end

--- Puts a value only where no fresh one is: true for the one who did, as with a lock.
---@param key string
---@param value boolean|number|string|Message|table
---@param options? SharedTimes
---@return boolean? added
---@return Error? err
function Shared:add(key, value, options) end

--- Adds to a number and gives the sum. One that is absent or stale begins at 0, with `ttl`; a fresh one keeps
--- its time.
---@param key string
---@param by? number default 1
---@param options? SharedTimes
---@return number sum
function Shared:incr(key, by, options) end

--- Whether there was a value.
---@param key string
---@return boolean
function Shared:remove(key) end

--- Keys of values that are there, in no order.
---@param limit? integer at most so many; default 1000
---@return string[]
function Shared:keys(limit) end

---@class SharedTimes
---@field ttl? number|string how long the value is fresh; default for ever
---@field stale? number|string how long after that it can still be read

--- The dictionary of this name. Where it is full, values that were not used for longest go first.
---@param name string
---@param options? { size?: integer|string } bytes; default "64m", at least "64k"
---@return Shared
function shared(name, options) end
