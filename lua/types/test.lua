---@meta
-- Tests of scripts: what `*_test.lua` and `test.lua` files have beside everything that scripts have.
-- `perilune test` runs each test in a world of its own: the file is loaded anew, and so are the scripts that
-- it loads.

--- Declares a test: `test("what is true", function() … end)`. The function may wait.
---@class test
---@field blackhole TestFate Nothing gets through to this upstream or from it, and nothing says so.
---@field refuse TestFate There is nobody: connections are refused.
---@field silent TestFate Connections are made, and nobody reads or writes.
---@field reset TestFate Each connection is reset where the answer would begin.
---@overload fun(name: string, fn: fun())
test = {}

--- Calls a function before each test, in the order of the file.
---@param fn fun() may wait
function beforeEach(fn) end

--- Calls a function after each test, also when it failed.
---@param fn fun() may wait
function afterEach(fn) end

--- Loads a script and starts it, as a process of its own. What it logs is shown when the test fails.
---@param path string relative to the file of tests
---@param options? TestLoadOptions
---@return TestProxy
function test.load(path, options) end

---@class TestLoadOptions
---@field env? table<string, string> what `os.env` has; nothing else is in it
---@field files? table<string, string> files in front of those on disk, by path from the script's folder
---@field workers? integer 1 to 64; default 1

--- Seconds of virtual time since the test began.
---@return number
function test.now() end

--- Lets virtual time pass; what is due meanwhile happens.
---@param time number|string seconds, or "5s"
function test.advance(time) end

--- Runs a function beside the test. What it raises fails the test, or is raised by `wait`.
---@param fn fun(): any may wait
---@return TestTask
function test.spawn(fn) end

--- What the scripts and the test have logged so far, a line a record.
---@return string
function test.log() end

--- Says what a name resolves to, from now on: addresses, the services of an SRV name, "fail" (no server
--- answers), "silent" (the question is never answered), or nil (there is no such name).
---@param name string
---@param what string[]|TestService[]|"fail"|"silent"|nil
---@param options? TestDNSOptions
function test.dns(name, what, options) end

---@class TestDNSOptions
---@field ttl? number|string default 60 s

---@class TestService
---@field host string a name, which `test.dns` gives its addresses
---@field port integer
---@field priority? integer default 0
---@field weight? integer default 0

--- Makes the network slow, from now on. What is left out is as good as can be: no time passes on the way.
---@param options TestNetworkOptions
function test.network(options) end

---@class TestNetworkOptions
---@field latency? number|string one way; default 0
---@field jitter? number|string added to it, from 0 to this; default 0
---@field bandwidth? number|string bytes a second of each direction of a connection; default no limit
---@field pieces? boolean everything comes in pieces and at odd times; default false

--- An upstream that answers after a time.
---@param time number|string seconds, or "5s"
---@param responder Message|string|fun(req: Message, ctx: Context): Message|string
---@return TestFate
function test.slow(time, responder) end

--- An upstream whose connection ends after so many bytes of an answer, its head among them.
---@param bytes number|string
---@param responder Message|string|fun(req: Message, ctx: Context): Message|string
---@return TestFate
function test.cut(bytes, responder) end

--- An upstream by hand: the function gets each connection, and speaks on it with the methods of a client.
---@param fn fun(connection: TestClient) may wait
---@return TestFate
function test.raw(fn) end

--- What an upstream does in the place of answering.
---@class TestFate

--- Declares a test of many runs: in each, clients ask what `beforeEach` has loaded, over a network that does
--- everything a network can do, as the run's seed says. Every request must get exactly one answer, and its
--- own, or see its connection cut; afterwards nothing may be open, and a good request must be answered.
---@param options? ChaosOptions
function test.chaos(options) end

---@class ChaosOptions
---@field seeds? integer how many runs; default 200
---@field name? string of the test; default "chaos"
---@field port? integer|string where to ask; default: everywhere the script listens
---@field clients? integer at most so many in a run; default 8
---@field requests? (ChaosRequest|string)[] what they ask; default GET, HEAD, POST and PUT of "/"
---@field patience? number|string until an answer counts as lost; default 10 min
--- Upstreams answer with the field `x-chaos-id` of their request, and a client that gets another one than it
--- sent fails the test; default true. Say false where answers are kept and given again.
---@field identify? boolean

---@class ChaosRequest
---@field method? string default GET
---@field path string
---@field headers? table<string, string|number>
---@field body? string
---@field json? any

--- A script under test.
---@class TestProxy
local P = {}

--- Says what is at an address from now on: an upstream that answers, or one of `test.blackhole`, `refuse`,
--- `reset`,
--- `silent`, `slow(…)`, `cut(…)`, `raw(…)`. A name gets an address. Another answer keeps the upstream's
--- connections, another fate ends them.
---@param address string "ip:port", "name:port" or "unix:path"
---@param responder Message|string|TestFate|fun(req: Message, ctx: Context): Message|string
---@return TestUpstream one for each address
function P:upstream(address, responder) end

--- Sends a request over a connection of its own and waits for the response.
---@param port integer|string where the script listens
---@param request? TestRequest|string a string is the path
---@return Message? res nil when there was none
---@return Error? err
function P:request(port, request) end

--- Opens a connection and waits until it is there.
---@param port integer|string where the script listens
---@param options? TestConnectOptions
---@return TestClient?
---@return Error? err
function P:connect(port, options) end

--- Client connections that the script has open, in all its workers.
---@return integer
function P:sessions() end

--- Replaces the script, as a reload does, by what its file or another one says now.
---@param file? string relative to the file of tests
function P:reload(file) end

---@class TestRequest
---@field method? string default GET
---@field path? string default "/"
---@field headers? table<string, string|number|(string|number)[]> without a host it is the address
---@field body? string|Data|fun(): string? a function gives the pieces of a chunked body and may wait between them
---@field json? any the body, encoded
---@field trailers? table<string, string>
---@field close? boolean asks that the connection ends after the answer
---@field timeout? number|string default: as long as it takes
---@field from? string the client's address; only of `proxy:request`

---@class TestConnectOptions
---@field from? string the client's address, such as "10.0.0.9"
---@field timeout? number|string default: as long as it takes

---@class TestWaitOptions
---@field timeout? number|string then nil, err; default: as long as it takes

--- One end of a connection: the client's, or in `test.raw` the upstream's.
---@class TestClient
local C = {}

--- Sends a request and waits for the response.
---@param request? TestRequest|string a string is the path
---@return Message? res
---@return Error? err
function C:request(request) end

--- Waits for the next response; interim ones are skipped.
---@param method? string that of the request, since a HEAD has no body; default GET
---@param options? TestWaitOptions
---@return Message? res
---@return Error? err
function C:response(method, options) end

--- Sends bytes as they are.
---@param bytes string|Data
---@return boolean sent false when this side has closed the connection
function C:send(bytes) end

--- Waits for bytes.
---@param what? integer|string exactly so many, or up to and with this text; default: whatever comes next
---@param options? TestWaitOptions
---@return string? bytes
---@return Error? err the connection ended first, or the time is over
function C:receive(what, options) end

--- Waits for the end of the connection.
---@param options? TestWaitOptions
---@return string? bytes all that came before
---@return Error? err it was reset, or the time is over
function C:receiveAll(options) end

--- Sends an end (FIN); reading goes on.
function C:finish() end

--- Closes the connection once all is sent.
function C:close() end

--- Resets the connection.
function C:reset() end

--- How the connection stands: "ended" and "reset" say what the other side did, "closed" that this side did
--- it.
---@return "open"|"ended"|"reset"|"closed"
function C:state() end

--- What an upstream of the test has seen.
---@class TestUpstream
---@field address string as the test wrote it
---@field requests Message[] every request, whole, in the order in which they were complete; none of `test.raw`
---@field connections integer how many were accepted
---@field open integer how many are open

--- A function that runs beside the test.
---@class TestTask
local T = {}

--- Waits until the function has returned.
---@return any ... what it returned; what it raised is raised
function T:wait() end

--- Begins what a test says about a value: `expect(res.status):equals(200)`. What follows may be said one
--- after the other.
---@param value any
---@return Expectation
function expect(value) end

---@class Expectation
local E = {}

--- It equals `expected`: tables by what is in them, fractions to a billionth.
---@param expected any
---@return Expectation
function E:equals(expected) end

--- It does not equal `other`.
---@param other any
---@return Expectation
function E:differs(other) end

--- It is a number of `most` or less.
---@param most number
---@return Expectation
function E:atMost(most) end

--- It is a number of `least` or more.
---@param least number
---@return Expectation
function E:atLeast(least) end

--- It is a number that is not further from `number` than `distance`.
---@param number number
---@param distance number
---@return Expectation
function E:near(number, distance) end

--- It is a string with this part, or a list with this element.
---@param part any
---@return Expectation
function E:contains(part) end

--- It is a string without this part, or a list without this element.
---@param part any
---@return Expectation
function E:lacks(part) end

--- It is a string in which this is found.
---@param pattern string a pattern of Lua's
---@return Expectation
function E:matches(pattern) end

--- It is nil.
---@return Expectation
function E:isNil() end

--- It is not nil.
---@return Expectation
function E:exists() end

--- It is true, and not only something that counts as true.
---@return Expectation
function E:isTrue() end

--- It is false, and not nil.
---@return Expectation
function E:isFalse() end

--- It is a function that raises an error with this part in its message.
---@param part? string
---@return Expectation
function E:raises(part) end
