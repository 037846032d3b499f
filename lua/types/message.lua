---@meta
-- Messages, their headers, bytes, and errors.

--- A request or a response.
--- A message of an exchange is over with it: reading it later is an error.
---@class Message
---@field method? string Request: a token such as "GET".
---@field path? string Request: the target with its query, byte for byte as it came. Assigning checks it.
---@field pathname? string Request: the path without its query. Read-only.
--- Request: parameters, decoded; of several with one name the first. At most 256. Writing to it changes
--- nothing.
---@field query? table<string, string>
---@field host? string Request: the Host field in lower case, without a port. Read-only: set headers.host.
---@field authority? string Request: the Host field as it came, with its port. Read-only.
---@field scheme? "http"|"https" Request. Read-only.
---@field originalPath? string Request: the path as it came, before a script changed `path`. Read-only.
---@field status? integer Response: 200 to 599. Assigning another one drops the reason.
---@field reason? string Response: the phrase behind the status.
---@field error? Error Response: why the engine made it; nil for an upstream's own. Read-only.
--- Cookies of the Cookie field, decoded; of several with one name the first. At most 256. Writing to it
--- changes nothing.
---@field cookies table<string, string>
---@field protocol "HTTP/1.0"|"HTTP/1.1" As it came. Read-only.
---@field headers Headers
---@field trailers? Headers What followed a chunked body; nil when nothing did.
--- The collected body; where it was not collected, reading it is an error. Assign a string, a Data, nil for
--- none, or a function that gives one piece with each call and nil at the end: framing follows by itself,
--- content-encoding and etag go.
---@field body string
---@field data Data The collected body without a copy. Read-only: assign `body`.
---@field bodySize integer Bytes of the body, or those that went past so far. Read-only.
local M = {}

--- The body as JSON.
---@return any value nil when it is not JSON
---@return string? err with line and column
function M:json() end

--- Adds a Set-Cookie field to a response. The value is percent-encoded where a cookie may not hold it.
---@param name string a token
---@param value string
---@param options? CookieOptions
function M:setCookie(name, value, options) end

---@class CookieOptions
---@field path? string
---@field domain? string
---@field maxAge? number|string seconds, or "1h"; 0 deletes the cookie
---@field expires? number seconds since 1970, as time.now() gives them
---@field secure? boolean
---@field httpOnly? boolean
---@field sameSite? "Strict"|"Lax"|"None"

--- With `method` or `path` a request (default GET and "/"), else a response (default status 200).
---@class MessageFields
---@field method? string
---@field path? string begins with "/"
---@field scheme? "http"|"https"
---@field status? integer 200 to 599
---@field reason? string
---@field headers? table<string, string|number|(string|number)[]> a list becomes several fields
---@field body? string|Data|fun(): string|Data|nil
---@field json? any the body, encoded; sets content-type unless headers do
---@field trailers? table<string, string|number|(string|number)[]>

--- Makes a message from its parts, or a response with this body; `Message()` has none. Takes one value: a nil or
--- a second one is an error.
---@param what? MessageFields|string|Data
---@return Message
function Message(what) end

--- The fields of a head or a trailer section: `headers.host` reads the first value, in any case; assigning
--- replaces, a list
--- makes several fields, nil removes. Control characters are refused; so are content-length, transfer-
--- encoding and fields
--- of one connection, which the engine writes. Order and case of the others are kept.
---@class Headers
---@field [string] string|nil
local H = {}

--- The first value of a field, in any case; for names that are methods here.
---@param name string
---@return string?
function H:get(name) end

--- Every value of a field, in order.
---@param name string
---@return string[]
function H:all(name) end

--- Adds a field behind the others.
---@param name string
---@param value string|number
function H:add(name, value) end

--- Goes through the fields in order, as `for name, value in headers:each() do`.
---@return fun(): string?, string?
function H:each() end

--- Immutable bytes; read like a string: `#data`, `tostring(data)`, `data .. "x"`, `data == other` (of two
--- Data).
---@class Data
---@operator len: integer
---@operator concat(string|number|Data): Data
local D = {}

--- A part, as string.sub takes it; shares the bytes.
---@param first integer
---@param last? integer
---@return Data
function D:sub(first, last) end

--- Byte values, at most 4096 at a time.
---@param first? integer default 1
---@param last? integer default first
---@return integer ...
function D:byte(first, last) end

--- Looks for plain text.
---@param text string
---@param from? integer
---@return integer? first
---@return integer? last
function D:find(text, from) end

--- Bytes of a text.
---@param text? string|Data
---@return Data
function Data(text) end

--- Something that failed. `tostring` and `..` make a sentence of it.
---@class Error
---@field code string kebab-case, such as "connect-failure"
---@field side "client"|"upstream"|"script"|"engine"
---@field detail string
---@field endpoint? string
