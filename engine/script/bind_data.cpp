#include <cstring>

#include "script/data_box.hpp"

namespace perilune::script {
namespace {

DataBox& self(lua_State* L) { return check_userdata<DataBox>(L, 1, "a Data"); }

void push_string(lua_State* L, const DataBox& data) {
  if (data.rest.empty()) {
    push_text(L, data.first.view());
    return;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  data.each([&text](std::string_view run) { luaL_addlstring(&text, run.data(), run.size()); });
  luaL_pushresult(&text);
}

/// A range as string.sub takes it: from 1, negative ones from the end, cut to what is there. Empty: first >
/// last.
struct Range {
  size_t begin;
  size_t end;
};
Range range_of(lua_State* L, int first_index, size_t size, double fallback_first, double fallback_last) {
  const auto position = [&](int index, double fallback) {
    const double given = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : fallback;
    return given < 0 ? given + static_cast<double>(size) + 1 : given;
  };
  const double first = position(first_index, fallback_first);
  const double last = position(first_index + 1, fallback_last);
  const double begin = first < 1 ? 0 : first - 1;
  const double end = last < static_cast<double>(size) ? last : static_cast<double>(size);
  if (!(begin < end)) return {0, 0};
  return {static_cast<size_t>(begin), static_cast<size_t>(end)};
}

void check_position(lua_State* L, int index) {
  if (!lua_isnoneornil(L, index) && lua_type(L, index) != LUA_TNUMBER) raise_argument(L, index, "a number");
}

int sub(lua_State* L) {
  const DataBox& data = self(L);
  if (lua_type(L, 2) != LUA_TNUMBER) raise_argument(L, 2, "a number");
  check_position(L, 3);
  const Range range = range_of(L, 2, data.size(), 1, -1);
  buffer::Buffer part;
  size_t begin = range.begin;
  size_t left = range.end - range.begin;
  const auto take = [&](const buffer::Slice& slice) {
    if (begin >= slice.size()) {
      begin -= slice.size();
      return;
    }
    const size_t count = std::min(left, slice.size() - begin);
    if (count > 0) part.append(slice.sub(begin, count));
    left -= count;
    begin = 0;
  };
  if (!data.first.empty()) take(data.first);
  for (const buffer::Slice& slice : data.rest.slices()) take(slice);
  push_data(L, context_of(L), part);
  return 1;
}

int byte(lua_State* L) {
  const DataBox& data = self(L);
  check_position(L, 2);
  check_position(L, 3);
  const double first = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : 1;
  const Range range = range_of(L, 2, data.size(), 1, first);
  const size_t count = range.end - range.begin;
  constexpr size_t bytes_max = 4096;  // as many results as fit on a Lua stack with room to spare
  if (count > bytes_max || !lua_checkstack(L, static_cast<int>(count))) {
    raise(L, "data:byte: at most 4096 bytes at a time");
  }
  size_t position = 0;
  data.each([&](std::string_view run) {
    const size_t begin = std::max(range.begin, position);
    const size_t end = std::min(range.end, position + run.size());
    for (size_t i = begin; i < end; ++i) {
      lua_pushinteger(L, static_cast<unsigned char>(run[i - position]));
    }
    position += run.size();
  });
  return static_cast<int>(count);
}

/// data:find(text, from) looks for plain text; patterns are for strings.
int find(lua_State* L) {
  const DataBox& data = self(L);
  const auto needle = string_at(L, 2);
  if (!needle) raise_argument(L, 2, "a string");
  check_position(L, 3);
  const Range range = range_of(L, 3, data.size(), 1, -1);
  const size_t from = lua_isnoneornil(L, 3) ? 0 : range.begin;
  const auto text = contiguous(L, 1);
  const size_t found = lua_isnoneornil(L, 3) || range.end > range.begin || text->empty()
                           ? text->find(*needle, from)
                           : std::string_view::npos;
  if (found == std::string_view::npos) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushnumber(L, static_cast<double>(found + 1));
  lua_pushnumber(L, static_cast<double>(found + needle->size()));
  return 2;
}

int to_text(lua_State* L) {
  push_string(L, self(L));
  return 1;
}

int length(lua_State* L) {
  lua_pushnumber(L, static_cast<double>(self(L).size()));
  return 1;
}

int equal(lua_State* L) {
  const auto* a = test_userdata<DataBox>(L, 1);
  const auto* b = test_userdata<DataBox>(L, 2);
  bool same = a && b && a->size() == b->size();
  if (same) {
    const auto left = contiguous(L, 1);
    const auto right = contiguous(L, 2);
    same = *left == *right;
  }
  lua_pushboolean(L, same);
  return 1;
}

Outcome concat(lua_State* L) {
  BindingContext& context = context_of(L);
  buffer::Buffer joined;
  for (int index = 1; index <= 2; ++index) {
    buffer::Buffer part;
    if (lua_type(L, index) == LUA_TNUMBER) {
      lua_pushvalue(L, index);  // the conversion happens on a copy
      size_t size = 0;
      const char* text = lua_tolstring(L, -1, &size);
      part = buffer::buffer_of({text, size}, context.chunks);
      lua_pop(L, 1);
    } else if (!to_bytes(L, context, index, part)) {
      return Outcome::error("a Data and " + describe_value(L, index) + " cannot be joined");
    }
    joined.append(std::move(part));
  }
  push_data(L, context, joined);
  return 1;
}

Outcome construct(lua_State* L) {
  constexpr size_t short_text = 1024;  // goes into the worker's shared chunk in one piece
  const auto text = string_at(L, 1);
  if (text && !text->empty() && text->size() <= short_text) {
    buffer::Chunk* chunk = context_of(L).chunks.shared(text->size());
    std::memcpy(chunk->free_begin(), text->data(), text->size());
    buffer::Slice slice(chunk, chunk->used, static_cast<uint32_t>(text->size()));
    chunk->used += static_cast<uint32_t>(text->size());
    push_data(L, context_of(L), std::move(slice));
    return 1;
  }
  buffer::Buffer bytes;
  if (!lua_isnoneornil(L, 1) && !to_bytes(L, context_of(L), 1, bytes)) {
    return Outcome::error(argument_message(L, 1, "a string or Data"));
  }
  push_data(L, context_of(L), bytes);
  return 1;
}

}  // namespace

void DataBox::append_to(buffer::Buffer& bytes) const {
  bytes.append(first);
  for (const buffer::Slice& slice : rest.slices()) bytes.append(slice);
}

std::optional<std::string_view> contiguous(lua_State* L, int index) {
  if (const auto* data = test_userdata<DataBox>(L, index)) {
    if (data->rest.empty()) {
      lua_pushnil(L);
      return data->first.view();
    }
    push_string(L, *data);
    return string_at(L, -1);
  }
  if (lua_type(L, index) != LUA_TSTRING) return std::nullopt;
  const auto text = string_at(L, index);
  lua_pushnil(L);
  return text;
}

void push_string(lua_State* L, const buffer::Buffer& bytes) {
  const auto slices = bytes.slices();
  if (slices.size() <= 1) {
    push_text(L, slices.empty() ? std::string_view() : slices[0].view());
    return;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (const buffer::Slice& slice : slices) luaL_addlstring(&text, slice.data(), slice.size());
  luaL_pushresult(&text);
}

void push_data(lua_State* L, BindingContext& context, buffer::Slice bytes) {
  note_outside_bytes(L, context, bytes.size());
  new_userdata<DataBox>(L, context.data_metatable, std::move(bytes));
}

void push_data(lua_State* L, BindingContext& context, const buffer::Buffer& bytes) {
  note_outside_bytes(L, context, bytes.size());
  new_userdata<DataBox>(L, context.data_metatable, bytes);
}

bool to_bytes(lua_State* L, BindingContext& context, int index, buffer::Buffer& bytes) {
  if (const auto* data = test_userdata<DataBox>(L, index)) {
    data->append_to(bytes);
    return true;
  }
  const auto text = string_at(L, index);
  if (text) bytes.append(buffer::buffer_of(*text, context.chunks));
  return text.has_value();
}

void bind_data(lua_State* L, BindingContext& context) {
  lua_newtable(L);
  add_functions(L, context, "Data ",
                {{"__gc(data)", &destroy_userdata<DataBox>},
                 {"__len(data)", &length},
                 {"__tostring(data)", &to_text},
                 {"__eq(a, b)", &equal},
                 {"__concat(a, b)", &outcome_function<concat>}});
  lua_newtable(L);
  add_functions(L, context, "data:",
                {{"sub(first, last)", &sub}, {"byte(first, last)", &byte}, {"find(text, from)", &find}});
  refuse_unknown_methods(L, "Data");
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "Data");
  lua_setfield(L, -2, "__metatable");
  context.data_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
  add_functions(L, context, "", {{"Data(text)", &outcome_function<construct>}});
}

}  // namespace perilune::script
