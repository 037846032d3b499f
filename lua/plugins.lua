-- use(plugins, pipeline): the engine's filter takes pipelines; here modules become them.
local _, core = ...

local error, pcall, type = error, pcall, type
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
  if module == true then fail("use: " .. quoted(name) .. " returns nothing; end it with: return pipeline()…") end
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
    fail("use: plugin " .. position .. ": { \"name\", config } begins with the name of a module, not with " .. describe(name))
  end
  return from_module(name, config)
end

local function at_load(position, entry)
  if core.is_pipeline(entry) then return entry end
  if type(entry) == "string" then return from_module(entry) end
  if type(entry) == "table" then return from_pair(position, entry) end
  fail(
    "use: plugin " .. position
      .. " expects the name of a module, { \"name\", config } or a pipeline, got " .. describe(entry)
  )
end

--- In a handler no file is run and no pipeline made any more.
local function at_run(position, entry)
  if core.is_pipeline(entry) then return entry end
  local module = type(entry) == "string" and modules[entry]
  if core.is_pipeline(module) then return module end
  if type(entry) == "string" then
    fail(
      "use: " .. quoted(entry) .. " is not loaded as a pipeline; load it at the top of the file: "
        .. "local plugin = require " .. describe(entry)
    )
  end
  fail("use: plugin " .. position .. " that the function gave expects a pipeline, got " .. describe(entry))
end

local function resolved(list, resolve)
  local pipelines, count = {}, #list
  for key in next, list do
    if type(key) ~= "number" or key < 1 or key > count or key % 1 ~= 0 then
      fail("use: plugins are a list without names and gaps, this one has " .. describe(key))
    end
  end
  for position = 1, count do pipelines[position] = resolve(position, list[position]) end
  return core.plugin_list(pipelines)
end

function methods.use(self, plugins, ...)
  if not core.is_pipeline(self) then return use_pipelines(self, plugins, ...) end
  if type(plugins) == "string" or core.is_pipeline(plugins) then
    fail("use: argument 1 (plugins) expects a list, write { " .. describe(plugins) .. " }")
  end
  local given = plugins
  if type(plugins) == "table" then
    given = resolved(plugins, at_load)
  elseif type(plugins) == "function" then
    given = function(ctx)
      local list, err = plugins(ctx)
      if type(list) ~= "table" then return list, err end
      return resolved(list, at_run)
    end
  end
  local chain = use_pipelines(self, given, ...)
  return chain
end
