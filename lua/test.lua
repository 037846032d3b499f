-- Tests of scripts. A file of tests is run once for each of its tests, each time in a world of its own: a
-- network in memory with a clock of its own, which jumps when nobody has anything to do.
local globals, core = ...

local error, next, select, setmetatable, tostring, type, unpack, xpcall =
  error, next, select, setmetatable, tostring, type, unpack, xpcall
local fail, describe = core.fail, core.describe

local tests, before, behind = {}, {}, {}
local began = core.now()
local test = {}

local function only_at_the_top(what)
  if not core.is_loading() then fail(what .. ": it stands at the top of the file, not in a function") end
end

local function only_in_a_test(what)
  if core.is_loading() then fail(what .. ": it belongs in a test or in beforeEach, not at the top of the file") end
end
core.only_in_a_test = only_in_a_test

--- Declares what is run as test `name`. `seeds` is for chaos runs.
function core.declare(name, fn, seeds)
  tests[#tests + 1] = fn
  core.test_declare(name, seeds or 0)
end

--- The one that was declared last is the one to run.
function core.is_chosen() return core.test_chosen() == #tests end

--- Calls a function before each test.
function globals.beforeEach(fn)
  only_at_the_top("beforeEach")
  core.check_function("beforeEach", "1 (fn)", fn)
  before[#before + 1] = fn
end

--- Calls a function after each test, also when it failed.
function globals.afterEach(fn)
  only_at_the_top("afterEach")
  core.check_function("afterEach", "1 (fn)", fn)
  behind[#behind + 1] = fn
end

local load_options = { env = true, files = true, workers = true }
local loaded = {}

local function strings(option, value)
  if value == nil then return nil end
  if type(value) ~= "table" then
    fail('test.load: option "' .. option .. '" expects a table of strings, got ' .. describe(value))
  end
  for name, text in next, value do
    if type(name) ~= "string" or type(text) ~= "string" then
      fail('test.load: option "' .. option .. '" expects strings by name, got ' .. describe(text) .. " for "
        .. describe(name))
    end
  end
  return value
end

--- Loads a script and starts it, as a process of its own.
function test.load(path, options)
  only_in_a_test("test.load")
  if type(path) ~= "string" then fail("test.load: argument 1 (path) expects a string, got " .. describe(path)) end
  options = options == nil and {} or options
  core.check_options("test.load", options, load_options)
  local workers = options.workers == nil and 1 or options.workers
  if type(workers) ~= "number" or workers < 1 or workers > 64 or workers % 1 ~= 0 then
    fail('test.load: option "workers" expects a whole number from 1 to 64, got ' .. describe(workers))
  end
  local number = core.test_load(path, workers, strings("env", options.env), strings("files", options.files))
  local proxy = core.make_proxy(number)
  loaded[#loaded + 1] = proxy
  return proxy
end

--- The scripts that were loaded, in order.
core.loaded = loaded

--- Seconds since the test began.
function test.now() return core.now() - began end

--- Lets time pass.
function test.advance(time)
  core.test_allow(core.test_seconds("test.advance: argument 1 (time)", time))
  globals.sleep(time)
end

local Task = {}
local task_metatable = {
  __index = setmetatable(Task, {
    __index = function(_, name) fail("a task has no " .. describe(name) .. core.suggest(name, Task)) end,
  }),
  __metatable = "task",
}

--- Waits until the function has returned, and gives what it returned; raises what it raised.
function Task:wait()
  if not self.outcome then core.results(core.event_wait(self.over, "task:wait")) end
  if self.outcome[1] then return unpack(self.outcome, 2, self.count) end
  self.is_told = true
  error(self.outcome[2], 0)
end

local spawned = {}

--- Runs a function beside the test.
function test.spawn(fn)
  only_in_a_test("test.spawn")
  core.check_function("test.spawn", "1 (fn)", fn)
  local task = setmetatable({ over = core.event(), outcome = false, count = 0, is_told = false }, task_metatable)
  spawned[#spawned + 1] = task
  core.after(0, function()
    local function settle(...)
      if ... == false and select(2, ...) == core.cancelled then error(core.cancelled, 0) end
      task.outcome, task.count = { ... }, select("#", ...)
      core.event_set(task.over)
    end
    settle(xpcall(fn, core.explain))
  end)
  return task
end

--- What the scripts and the test have logged so far.
function test.log() return core.test_log() end

--- Says what a name resolves to, from now on.
function test.dns(name, what, options)
  only_in_a_test("test.dns")
  core.set_dns(name, what, options)
end

local network_options = { latency = true, jitter = true, bandwidth = true, pieces = true }

--- Makes the network slow. What is left out is as good as can be.
function test.network(options)
  only_in_a_test("test.network")
  if type(options) ~= "table" then fail("test.network expects a table of options, got " .. describe(options)) end
  core.check_options("test.network", options, network_options)
  local bandwidth = options.bandwidth ~= nil and core.bytes(options.bandwidth) or 0
  if not bandwidth or (options.bandwidth ~= nil and bandwidth == 0) then
    fail('test.network: option "bandwidth" expects bytes a second or "16k", got ' .. describe(options.bandwidth))
  end
  local function time(option)
    if options[option] == nil then return nil end
    return core.test_seconds('test.network: option "' .. option .. '"', options[option])
  end
  core.test_network(time("latency") or 0, time("jitter"), bandwidth, options.pieces)
end

local fate = core.fates.fate

--- Nothing gets through in either direction, and nothing is said about it.
test.blackhole = fate("blackhole")
--- There is nobody: connections are refused.
test.refuse = fate("refuse")
--- Connections are made, and nobody reads or writes.
test.silent = fate("silent")
--- The connection is reset where the answer would begin.
test.reset = fate("reset", 0, "reset")

--- The same answer, after a time.
function test.slow(time, responder)
  core.test_seconds("test.slow: argument 1 (time)", time)
  local answer = core.answer_of("test.slow", responder)
  if not answer then fail("test.slow: argument 2 expects a Message or a function, got " .. describe(responder)) end
  return fate("slow", nil, function(req, ctx)
    globals.sleep(time)
    return answer(req, ctx)
  end)
end

--- An answer that ends with its connection after so many bytes, head and all.
function test.cut(bytes, responder)
  local count = core.bytes(bytes)
  if not count then fail("test.cut: argument 1 (bytes) expects a number of bytes, got " .. describe(bytes)) end
  if not core.answer_of("test.cut", responder) then
    fail("test.cut: argument 2 expects a Message or a function, got " .. describe(responder))
  end
  return fate("cut", count, responder)
end

--- An upstream by hand: the function gets each connection, with the methods of a client.
function test.raw(fn)
  core.check_function("test.raw", "1 (fn)", fn)
  local marker = fate("raw")
  core.fates.known[marker].raw = fn
  return marker
end

core.test_table = test

--- Declares a test.
local function declare(_, name, fn)
  only_at_the_top("test")
  if type(name) ~= "string" or name == "" then
    fail("test: argument 1 (name) expects a sentence, got " .. describe(name))
  end
  core.check_function("test", "2 (fn)", fn)
  core.declare(name, fn)
end

globals.test = setmetatable({}, {
  __call = declare,
  __index = function(_, name)
    local member = test[name]
    if member ~= nil then return member end
    fail("test has no " .. describe(name) .. core.suggest(name, test))
  end,
  __newindex = function(_, name)
    fail("test." .. tostring(name) .. ": test belongs to the engine and cannot be changed")
  end,
  __tostring = function() return "test" end,
  __metatable = "test",
})

-- ---- running the one that was chosen

local function run_all(hooks)
  for i = 1, #hooks do hooks[i]() end
end

local function tell(ok, failure)
  if ok then return true end
  if failure == core.cancelled then error(failure, 0) end
  core.test_fail(failure.message, unpack(failure.places))
  return false
end

core.after(0, function()
  local run = tests[core.test_chosen()]
  if not run then return end
  core.test_begin()
  tell(xpcall(function()
    run_all(before)
    run()
    -- What failed beside the test and was not waited for has its say too; what still runs is called off.
    for i = 1, #spawned do
      local task = spawned[i]
      if task.outcome and not task.outcome[1] and not task.is_told then task:wait() end
    end
  end, core.explain))
  tell(xpcall(run_all, core.explain, behind))
  core.test_finish()
end)
