---@meta
-- What passes from one version of a script to the next. `--watch` and SIGHUP load a file anew; its locals
-- begin anew.

---@class reload
reload = {}

--- Keeps a plain value (boolean, number, string, or a table of them, at most 16 MiB) for the next version of
--- this file, and returns what the version before kept under the name, or else `value`. The next version gets
--- a copy of what is in it when that version is loaded: of a table as it is then; of anything else what
--- `keep` was given last, also by a handler. Each worker has its own. At the top of a file a name is kept
--- once.
---@generic T
---@param name string
---@param value T
---@return T
function reload.keep(name, value) end

--- Has a function called once this version is over: another one has taken over, or the process ends, and the
--- last of its connections has ended. It may not wait. Not called in a version that never served. At the top
--- of a file; may be said several times.
---@param fn fun()
function reload.onUnload(fn) end
