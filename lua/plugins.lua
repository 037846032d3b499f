-- use(plugins, pipeline): the engine's filter takes pipelines; here modules become them.
local _, core = ...

local error, pcall, rawget, type = error, pcall, rawget, type
local fail, describe, modules = core.fail, core.describe, core.modules
local methods = core.filter_methods
local use_pipelines = methods.use

local function quoted(name) return "plugin " .. describe(name) end

--- What a plugin's module has to give.
local function check_gave(name, what, value)
  if core.is_pipeline(value) then return value end
  fail(
    "use: " .. quoted(name) .. what .. describe(value)
      .. "; a plugin's module returns a pipeline, or a function of its configuration that does"
  )
end

--- Calls a module that is a function, with names for pipelines that are this call's own.
local function configure(name, make, config)
  core.begin_plugin(make)
  local ok, result = pcall(make, config)
  core.end_plugin()
  if not ok then error(result, 0) end
  return check_gave(name, ": its function gave ", result)
end

--- The pipeline of a module's name, with the plugin's configuration or nil.
local function from_module(name, config)
  local module = core.load_module(name, "use")
  if type(module) == "function" then return configure(name, module, config) end
  if core.is_silent(module) then
    fail("use: " .. quoted(name) .. " returns nothing; end it with: return pipeline()…")
  end
  check_gave(name, " returns ", module)
  if config ~= nil then
    fail(
      "use: " .. quoted(name) .. " returns a pipeline and so takes no configuration; for one it returns "
        .. "function(config) … end"
    )
  end
  return module
end

--- { name, config }
local function from_pair(position, pair)
  for key in next, pair do
    if key ~= 1 and key ~= 2 then
      fail(
        "use: plugin " .. position .. " has the name " .. describe(key)
          .. "; a plugin with a configuration is { \"name\", config }, and stands in the list: "
          .. "use({ { \"name\", config } }, …)"
      )
    end
  end
  local name, config = pair[1], pair[2]
  if type(name) ~= "string" then
    fail("use: plugin " .. position .. ": { \"name\", config } begins with the name of a module, not with "
      .. describe(name))
  end
  return from_module(name, config)
end

local function at_load(position, entry)
  if core.is_pipeline(entry) then return entry end
  if type(entry) == "string" then return from_module(entry) end
  if core.is_silent(entry) then fail("use: plugin " .. position .. ": " .. rawget(entry, 1)) end
  if type(entry) == "table" then return from_pair(position, entry) end
  fail(
    "use: plugin " .. position
      .. " expects the name of a module, { \"name\", config } or a pipeline, got " .. describe(entry)
  )
end

--- What is wrong with a table as a list, or nil.
local function fault_of_list(list)
  local count = #list
  for key in next, list do
    if type(key) ~= "number" or key < 1 or key > count or key % 1 ~= 0 then
      return "plugins are a list without names and gaps, this one has " .. describe(key)
    end
  end
end

local function loaded(list)
  local fault = fault_of_list(list)
  if fault then fail("use: " .. fault) end
  local pipelines = {}
  for position = 1, #list do pipelines[position] = at_load(position, list[position]) end
  return core.plugin_list(pipelines)
end

--- What a function chose. In a handler no file is run and no pipeline made any more. Gives nil and what is
--- wrong.
local function chosen(list)
  local fault = fault_of_list(list)
  if fault then return nil, fault end
  local pipelines = {}
  for position = 1, #list do
    local entry = list[position]
    local is_name = type(entry) == "string"
    local plugin = is_name and modules[entry] or entry
    if not core.is_pipeline(plugin) then
      if not is_name then
        return nil, "plugin " .. position .. " that the function gave expects a pipeline, got " .. describe(entry)
      end
      return nil, quoted(entry) .. " is not loaded as a pipeline; load it at the top of the file: "
        .. "local plugin = require " .. describe(entry)
    end
    pipelines[position] = plugin
  end
  return core.plugin_list(pipelines)
end

function methods.use(self, plugins, ...)
  if not core.is_pipeline(self) then return use_pipelines(self, plugins, ...) end
  if type(plugins) == "string" or core.is_pipeline(plugins) then
    fail("use: argument 1 (plugins) expects a list, write { " .. describe(plugins) .. " }")
  end
  local given = plugins
  if type(plugins) == "table" then
    given = loaded(plugins)
  elseif type(plugins) == "function" then
    local place = core.place()
    given = function(ctx)
      local list, err = plugins(ctx)
      if type(list) ~= "table" then return list, err end
      local pipelines, fault = chosen(list)
      if not pipelines then error(place .. ": use: " .. fault, 0) end
      return pipelines
    end
  end
  local chain = use_pipelines(self, given, ...)
  return chain
end
