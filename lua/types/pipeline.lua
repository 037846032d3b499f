---@meta
-- Entrances, pipelines and filters. Every filter returns its pipeline, so that calls chain.

---@alias Time number|string|false seconds, or "250ms", "5s", "1m", "1h"; false means never
---@alias Size number|string bytes, or "16k", "1m"

---@alias AccessFormat "common"|"combined"|"json"

---@class AccessLog
---@field format? AccessFormat default "combined"
---@field file? string relative to the script; default the standard output

---@class ListenOptions
---@field accessLog? boolean|AccessFormat|AccessLog a line for each request; true is "combined"; default none
---@field trustedProxies? string[] networks, or "unix", whose X-Forwarded-For names the client; default none
---@field maxConnections? integer open at a time; further ones wait to be accepted; default half of the descriptors
---@field maxConnectionsPerIP? integer of one client; further ones are reset; default a quarter of `maxConnections`
---@field idleTimeout? Time of a connection between messages; default 60 s, for a relay of bytes 1 h
---@field headTimeout? Time for the head of a request; default 10 s
---@field readTimeout? Time without a byte of a request's body; default 60 s
---@field writeTimeout? Time without progress in sending, or with under 64 bytes a second; default 60 s
---@field minBodyRate? Size bytes a second that a body must come with, after 10 s; default 500
---@field backlog? integer connections waiting to be accepted; default 4096
---@field bufferLimit? Size bytes buffered per direction; default 256 KiB

--- Accepts connections.
---@param address integer|string a port, "ip:port" or "unix:path"
---@param options? ListenOptions
---@return Pipeline
function listen(address, options) end

--- Begins a pipeline that others lead to. A name is known in its file only.
---@param name? string
---@return Pipeline
function pipeline(name) end

---@alias PipelineReference string|Pipeline the name of a pipeline of this file, or a pipeline

--- A chain of filters. One filter answers; those in front of it see requests, those behind it what comes
--- back.
---@class Pipeline
local P = {}

-- Input and output

---@class ConnectOptions
---@field connectTimeout? Time default 5 s
---@field readTimeout? Time silence of an upstream that is asked something; default 60 s
---@field writeTimeout? Time without progress in sending; default 60 s
---@field idleTimeout? Time without any byte; default never
---@field bind? string local address
---@field bufferLimit? Size bytes buffered per direction; default 256 KiB

--- Connects to an upstream; what it sends comes out.
---@param target string|fun(ctx: Context): string? "host:port" or "unix:path"
---@param options? ConnectOptions
---@return Pipeline
function P:connect(target, options) end

-- Codecs

--- Bytes to requests. Where `encodeHTTPResponse` stands behind, each answer goes to its own request, 64 may
--- be open at a time, and a malformed head is answered.
---@return Pipeline
function P:decodeHTTPRequest() end

--- Bytes to responses, each read by the request that `encodeHTTPRequest` sent for it.
---@return Pipeline
function P:decodeHTTPResponse() end

--- Requests to bytes. TRACE and OPTIONS with `Max-Forwards: 0` are answered here; CONNECT is refused.
---@return Pipeline
function P:encodeHTTPRequest() end

--- Responses to bytes, each written for its own request: by its method, its version, and whether the
--- connection ends.
---@return Pipeline
function P:encodeHTTPResponse() end

-- Joints

---@class DemuxHTTPOptions
---@field connect? boolean lets CONNECT through to the pipeline; default false: 405
--- the answer to what could not be read as a request; may not wait
---@field errorPage? fun(err: Error, ctx: Context): Message?
---@field maxHeaderSize? Size bytes of a head; default 64 KiB
---@field maxHeaders? integer fields of a head; default 200
---@field maxMessages? integer requests of one connection; default no limit
---@field maxRequestLine? Size default 16 KiB
---@field pipelining? integer requests of one connection that run at the same time; default 64

--- Takes a connection's bytes apart into requests, each with an instance of the pipeline; answers go back
--- in order.
---@param pipeline PipelineReference
---@param options? DemuxHTTPOptions
---@return Pipeline
function P:demuxHTTP(pipeline, options) end

---@class ServeHTTPOptions
--- the answer to what could not be read as a request; may not wait
---@field errorPage? fun(err: Error, ctx: Context): Message?
---@field limit? Size bytes of a request's body; default 1 MiB
---@field maxHeaderSize? Size bytes of a head; default 64 KiB
---@field maxHeaders? integer fields of a head; default 200
---@field maxMessages? integer requests of one connection; default no limit
---@field maxRequestLine? Size default 16 KiB
---@field pipelining? integer requests of one connection that run at the same time; default 64

--- Answers every request from the script.
---@param handler Message|fun(req: Message, ctx: Context): Message may wait
---@param options? ServeHTTPOptions
---@return Pipeline
function P:serveHTTP(handler, options) end

---@class MuxHTTPOptions
---@field idleTimeout? Time of a connection between messages; default 60 s
---@field maxMessages? integer messages that a connection serves; default no limit
---@field maxSessions? integer connections of one key; default 1 with a key, no limit without
---@field pipelining? integer requests on the wire of one connection; default 1
---@field queue? integer messages waiting for a connection, per key; default 1024
---@field queueTimeout? Time default 5 s
---@field tunnelIdleTimeout? Time of a tunnel without any byte; default 1 h

--- Sends messages through connections that live longer than a message. Messages with an equal key share
--- connections;
--- without a key a message takes an idle one or opens a new one.
---@param pipeline PipelineReference what a connection runs, with its `connect`
---@param key? any|fun(ctx: Context): any, Error? a value or a function
---@param options? MuxHTTPOptions
---@return Pipeline
function P:muxHTTP(pipeline, key, options) end

---@class ForwardOptions
---@field timeout? Time|fun(ctx: Context): Time? to the answer's head; default the upstream's
---@field tryTimeout? Time|fun(ctx: Context): Time? the same for each try; default the upstream's
---@field endpoint? string|fun(ctx: Context): string? only this one, "10.0.0.1:8080"
---@field key? string|number|fun(ctx: Context): string|number|nil for hashing; default the upstream's
---@field pool? string|fun(ctx: Context): string|number|nil connections of one pool are not used by another
---@field tenant? string|number|fun(ctx: Context): string|number|nil those who wait for a connection take turns by it
---@field host? string|fun(ctx: Context): string? the Host field: "client", "endpoint" or a name; default the upstream's
---@field forwarded? boolean adds X-Forwarded-For, -Proto and -Host; default the upstream's
---@field retry? RetryOptions|false default the upstream's
---@field hedge? HedgeOptions|false default the upstream's
---@field tunnelIdleTimeout? Time of a tunnel without any byte; default the upstream's, 1 h

--- Sends messages to an upstream, with its balancing, pool, health and retries.
---@param upstream Cluster|fun(ctx: Context): Cluster a function may wait
---@param options? ForwardOptions
---@return Pipeline
function P:forward(upstream, options) end

--- Goes on in the pipeline that a function names, once per session or message; nil is a 404, or an error
--- for TCP.
---@param target PipelineReference|fun(ctx: Context): PipelineReference? may wait
---@param names? string[] the names that may come, for `check` and `graph`
---@return Pipeline
function P:route(target, names) end

---@alias Plugin string|table|Pipeline the name of a module, "plugins.jwt", or { "plugins.jwt", config }, or a pipeline

--- Goes through the plugins, and at last on in the pipeline; all share the context. A module returns a
--- pipeline, or a function of its configuration that does. Filters behind `use` see every answer. A function
--- chooses among pipelines, and modules that are loaded already, for each session or message.
---@param plugins Plugin[]|fun(ctx: Context): (Pipeline|string)[] may wait
---@param pipeline PipelineReference the end of the chain
---@return Pipeline
function P:use(plugins, pipeline) end

--- In a plugin: goes on with the rest of the chain. Filters behind it see what comes back. In a plugin
--- without one it stands at the end.
---@return Pipeline
function P:next() end

--- The time that an answer's head may take: 504 after it.
---@param time Time
---@return Pipeline
function P:timeout(time) end

-- Handlers: look at what passes. Those of messages may return a response, which answers early.

---@class CollectOptions
---@field limit? Size bytes of the body; default 1 MiB
--- what becomes of a longer body: "error" (the default) is a 413 or 502, "pass" streams it on, unseen
---@field over? "error"|"pass"
---@field when? fun(ctx: Context): boolean? false: nothing is collected and the function not called

--- At accept; only in a `listen` pipeline. false closes the connection.
---@param handler fun(ctx: Context): false? may wait
---@return Pipeline
function P:handleSessionStart(handler) end

--- Once when a session is over, whatever ended it.
---@param handler fun(ctx: Context, err?: Error) may not wait
---@return Pipeline
function P:handleSessionEnd(handler) end

--- For each piece of bytes that passes.
---@param handler fun(data: Data, ctx: Context) may wait
---@return Pipeline
function P:handleData(handler) end

--- When a head is complete; the body is not read.
---@param handler fun(msg: Message, ctx: Context): Message? may wait
---@return Pipeline
function P:handleMessageStart(handler) end

--- When the whole body is there.
---@param handler fun(body: string, ctx: Context): Message? may wait
---@param options? CollectOptions
---@return Pipeline
function P:handleMessageBody(handler, options) end

--- When the whole message is there.
---@param handler fun(msg: Message, ctx: Context): Message? may wait
---@param options? CollectOptions
---@return Pipeline
function P:handleMessage(handler, options) end

--- When the last byte has passed; the head is read-only.
---@param handler fun(msg: Message, ctx: Context) may wait
---@return Pipeline
function P:handleMessageEnd(handler) end

--- Once for each request, whatever ended it.
---@param handler fun(ctx: Context, err?: Error) may not wait
---@return Pipeline
function P:handleExchangeEnd(handler) end

-- Replacing: what the function returns takes the place; false drops, nil is an error.

--- Replaces each piece of bytes.
---@param replacement string|Message|fun(data: Data, ctx: Context): string|Data|false
---@return Pipeline
function P:replaceData(replacement) end

--- Replaces the head; the body streams on.
---@param handler fun(msg: Message, ctx: Context): Message|false
---@return Pipeline
function P:replaceMessageStart(handler) end

--- Replaces the collected body.
---@param handler fun(body: string, ctx: Context): string|Data|false
---@param options? CollectOptions
---@return Pipeline
function P:replaceMessageBody(handler, options) end

--- Replaces the whole message. A response in the place of a request answers.
---@param replacement Message|fun(msg: Message, ctx: Context): Message|false
---@param options? CollectOptions
---@return Pipeline
function P:replaceMessage(replacement, options) end

--- Puts something in front of the first event.
---@param what string|Message|fun(ctx: Context): string|Data|Message|nil
---@return Pipeline
function P:insert(what) end

-- Eyes

--- Logs every event that passes.
---@param tag? string
---@return Pipeline
function P:dump(tag) end

--- Writes the bytes that pass to the standard output.
---@return Pipeline
function P:print() end
