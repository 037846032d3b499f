#pragma once

#include <lua.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "base/object.hpp"
#include "buffer/buffer.hpp"
#include "flow/hook.hpp"
#include "loop/driver.hpp"
#include "stats/metrics.hpp"

namespace perilune::script {

class MessageBoxes;

/// What the bindings ask of the state that they are put into.
class BindingHost {
 public:
  /// A hook that calls the function at `index`; the stack is left as it was.
  virtual Ref<flow::Hook> make_hook(lua_State* L, int index) = 0;
  /// Where a file lies that the running Lua function names by `path`: relative paths start at the folder of
  /// the file in which that function stands. The host may note the path, to watch it.
  virtual std::string resolve_path(lua_State* L, std::string_view path) = 0;
  /// The content of a file that a script reads. Errors: those of read_whole_file.
  virtual Result<std::string> read_file(const std::string& path, size_t bytes_max) = 0;
  /// A variable of the environment (`os.env`).
  virtual std::optional<std::string> environment(std::string_view name) = 0;
  /// The top of a file runs.
  virtual bool is_loading() const = 0;
  /// The worker's metrics; they outlive the state.
  virtual stats::Registry& metrics() = 0;

 protected:
  ~BindingHost() = default;
};

/// What the bound functions of one Lua state stand on. It outlives the state: every bound function has its
/// address as first upvalue. `end_messages` is called before the state is closed.
struct BindingContext {
  BindingContext(buffer::ChunkPool& chunk_pool, loop::Driver& loop_driver, BindingHost& binding_host);
  BindingContext(const BindingContext&) = delete;
  BindingContext& operator=(const BindingContext&) = delete;
  ~BindingContext();

  /// Lets go of the messages that scripts hold and the engine still has: for scripts they are over.
  void end_messages();

  buffer::ChunkPool& chunks;
  loop::Driver& driver;
  BindingHost& host;
  /// Which messages of the engine scripts hold.
  const std::unique_ptr<MessageBoxes> messages;
  /// Metatables, as references in the Lua registry; set by bind_data and bind_message.
  int data_metatable = LUA_NOREF;
  /// What a message owns is given back when the userdata is collected; a borrowed one needs no such call, and
  /// each request has two.
  struct BoxMetatables {
    int owned = LUA_NOREF;
    int borrowed = LUA_NOREF;
  };
  BoxMetatables message_metatables;
  BoxMetatables headers_metatables;
  /// Bytes outside the Lua heap that came up since the collector was last made to work (note_outside_bytes).
  size_t outside_bytes = 0;
  /// How much of that makes it work: as much as the heap holds, so that the work is in proportion.
  size_t outside_bytes_max = limits::garbage_body_bytes_min;
};

// Each adds its names to the table at the top of the stack (the globals of scripts) and leaves the stack as
// it was; a table of the same name that is there already (`algo`, `os`) gets more entries. They raise on lack
// of memory only.

/// `Data`. Before bind_message.
void bind_data(lua_State* L, BindingContext& context);
/// `Message`, and what messages and headers can do.
void bind_message(lua_State* L, BindingContext& context);
/// `json`.
void bind_json(lua_State* L, BindingContext& context);
/// `url`.
void bind_url(lua_State* L, BindingContext& context);
/// `base64`, `hex`.
void bind_codec(lua_State* L, BindingContext& context);
/// `time`.
void bind_time(lua_State* L, BindingContext& context);
/// `file`.
void bind_file(lua_State* L, BindingContext& context);
/// `log`.
void bind_log(lua_State* L, BindingContext& context);
/// `os.env`.
void bind_os(lua_State* L, BindingContext& context);
/// `algo`: what needs no callback (URLRouter, balancers, Percentile, hash, uuid).
void bind_algo(lua_State* L, BindingContext& context);
/// `stats`.
void bind_stats(lua_State* L, BindingContext& context);

/// All of the above.
void bind_library(lua_State* L, BindingContext& context);

// Messages and data on the stack (message_box.hpp and data_box.hpp say more).

/// Pushes a message of an exchange: the same userdata each time. It ends for scripts when the message does.
void push_message(lua_State* L, BindingContext& context, flow::Message& message);
/// The message at `index`, null when something else is there. Raises when that message is over.
Ref<flow::Message> to_message(lua_State* L, int index);
/// Pushes bytes as a `Data`.
void push_data(lua_State* L, BindingContext& context, buffer::Slice bytes);
void push_data(lua_State* L, BindingContext& context, const buffer::Buffer& bytes);
/// True and the bytes, by reference where it can be, when a Data or a string is at `index` (numbers are not).
bool to_bytes(lua_State* L, BindingContext& context, int index, buffer::Buffer& bytes);
/// Pushes `error` as scripts see it: a table {code, side, detail, endpoint} whose tostring is a sentence.
void push_error(lua_State* L, const Error& error, std::string_view endpoint = {});

}  // namespace perilune::script
