#include "app/new_project.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/text.hpp"

namespace perilune::app {
namespace {

namespace fs = std::filesystem;

// In the texts NAME stands for the name, TYPES for the folder of declarations.
struct ProjectFile {
  const char* name;
  const char* text;
};

constexpr ProjectFile project_files[] = {
    {"proxy.lua",
     R"lua(-- NAME: sends everything to one upstream, and says what went wrong in words of its own.
local app = upstream("app", {
  endpoints = { "127.0.0.1:8080" },
  retry = { attempts = 2 },
})

listen(8000):demuxHTTP("web")

pipeline("web")
  :handleMessageStart(function(req, ctx)
    if req.pathname == "/hello" then return Message("hello\n") end
    req.headers["x-client"] = ctx.client.ip
  end)
  :forward(app)
  :replaceMessageStart(function(res)
    if not res.error then return res end
    return Message { status = res.status, body = "We are sorry: " .. res.error.code .. "\n" }
  end)
)lua"},
    {"proxy_test.lua",
     R"lua(-- `perilune test` runs this on a simulated network: no port is opened, and no time passes.
local APP = "127.0.0.1:8080"
local proxy, app

beforeEach(function()
  proxy = test.load "proxy.lua"
  app = proxy:upstream(APP, function(req) return Message("you asked for " .. req.path) end)
end)

test("a request reaches the upstream", function()
  local res = proxy:request(8000, { path = "/x" })
  expect(res.status):equals(200)
  expect(res.body):equals("you asked for /x")
  expect(#app.requests):equals(1)
end)

test("/hello is answered here", function()
  expect(proxy:request(8000, { path = "/hello" }).body):equals("hello\n")
  expect(#app.requests):equals(0)
end)

test("an upstream that is down is a 502 in our words", function()
  proxy:upstream(APP, test.refuse)
  local res = proxy:request(8000, { path = "/x" })
  expect(res.status):equals(502)
  expect(res.body):equals("We are sorry: connect-failure\n")
end)
)lua"},
    {"README.md", R"md(# NAME

A proxy. `proxy.lua` says what it does: it listens on port 8000 and sends requests to 127.0.0.1:8080.

| command | what it does |
|---|---|
| `perilune check proxy.lua` | says what is wrong with the script, and what is hardly meant |
| `perilune test` | runs `proxy_test.lua` on a simulated network |
| `perilune proxy.lua` | serves |
| `perilune graph proxy.lua` | shows the pipelines |

`.luarc.json` tells the Lua language server where the declarations are: an editor that has it completes names and shows
what they do.
)md"},
    {".luarc.json", R"json({
  "runtime.version": "LuaJIT",
  "workspace.library": ["TYPES"],
  "workspace.checkThirdParty": false
}
)json"},
};

std::string replaced(std::string text, std::string_view word, std::string_view by) {
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
    text.replace(at, word.size(), by);
  return text;
}

std::string json_text(const std::string& text) {
  return replaced(replaced(text, "\\", "\\\\"), "\"", "\\\"");
}

/// Where the declarations for editors lie: beside the installed program, or in the tree that it was built in.
/// Empty when they are at neither.
std::string types_folder() {
  std::error_code code;
  const fs::path program = fs::canonical("/proc/self/exe", code);
  if (code) return {};
  const auto has_types = [&](const fs::path& folder) {
    return fs::is_regular_file(folder / "pipeline.lua", code);
  };
  const fs::path bin = program.parent_path();
  if (const fs::path installed = bin.parent_path() / "share/perilune/types"; has_types(installed))
    return installed;
  for (fs::path folder = bin; folder != folder.root_path(); folder = folder.parent_path())
    if (has_types(folder / "lua/types")) return folder / "lua/types";
  return {};
}

int fail(const std::string& sentence) {
  std::fprintf(stderr, "perilune: new: %s\n", sentence.c_str());
  return 1;
}

}  // namespace

int make_project(const std::string& name) {
  fs::path folder(name);
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code code;
  if (fs::exists(fs::symlink_status(folder, code)))
    return fail(in_quotes(name) + " is there already; choose another name");
  if (!fs::create_directory(folder, code))
    return fail("cannot make " + in_quotes(name) + ": " + code.message());
  const std::string types = types_folder();
  const std::string title = folder.filename();
  for (const ProjectFile& file : project_files) {
    std::ofstream out(folder / file.name);
    out << replaced(replaced(file.text, "NAME", shown(title)), "TYPES", json_text(types));
    out.close();
    if (out) continue;
    fs::remove_all(folder, code);
    return fail("cannot write " + in_quotes((folder / file.name).string()));
  }
  std::printf("%s: proxy.lua, proxy_test.lua, README.md, .luarc.json\n", folder.c_str());
  if (types.empty())
    std::fprintf(
        stderr,
        "perilune: new: the declarations for editors are not installed; name their folder in .luarc.json\n");
  return 0;
}

}  // namespace perilune::app
