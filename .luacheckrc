-- The globals of a script, as the engine gives them.
std = "luajit"
max_line_length = 120
-- A callback names what it is given, used or not.
unused_args = false
exclude_files = { "build" }

read_globals = {
  "admin", "after", "algo", "base64", "context", "Data", "every", "file", "hex", "http", "json", "listen",
  "log", "Message", "next", "os", "pipeline", "reload", "shared", "sleep", "spawn", "stats", "time", "upstream",
  "url", "xml",
}

-- The script of the admin address has one name more.
files["lua/admin.lua"] = { read_globals = { "process" } }

-- Declarations for editors define what the engine defines.
files["lua/types"] = { ignore = { "111", "112", "113", "121", "122", "131", "142", "143", "211", "212", "241" } }

local in_tests = { read_globals = { "afterEach", "beforeEach", "describe", "expect", "test" } }
files["**/*_test.lua"] = in_tests
files["**/test.lua"] = in_tests
files["tests"] = in_tests
