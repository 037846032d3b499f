#include "app/commands.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdio>

#include "app/admin_client.hpp"
#include "app/status_table.hpp"
#include "base/limits.hpp"

namespace perilune::app {
namespace {

int complain(const std::string& sentence) {
  std::fprintf(stderr, "perilune: %s\n", sentence.c_str());
  return 1;
}

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// The answer, which must have this status; else it has complained.
std::optional<std::string> body_of(const AdminAddress& address, const char* method, const char* path,
                                   int status) {
  const auto answer = ask_admin(address, method, path, limits::admin_command_timeout);
  if (!answer) complain(answer.error().detail);
  else if (answer->status != status) complain(without_line_end(answer->body));
  else return answer->body;
  return std::nullopt;
}

/// A text of the answer; the whole answer where it has none of this name.
std::string text_in(const std::string& json, const char* name) {
  boost::json::error_code wrong;
  const auto parsed = boost::json::parse(json, wrong);
  const auto* members = wrong ? nullptr : parsed.if_object();
  const auto* found = members ? members->if_contains(name) : nullptr;
  return found && found->is_string() ? std::string(found->get_string()) : without_line_end(json);
}

}  // namespace

int command_reload(const AdminAddress& address) {
  const auto body = body_of(address, "POST", "/reload", 200);
  if (!body) return 1;
  std::printf("%s\n", text_in(*body, "sentence").c_str());
  return 0;
}

int command_stop(const AdminAddress& address) {
  const auto body = body_of(address, "POST", "/stop", 202);
  if (!body) return 1;
  std::printf("%s\n", text_in(*body, "sentence").c_str());
  std::fflush(stdout);
  wait_until_gone(address);
  return 0;
}

int command_status(const AdminAddress& address, StatusForm form) {
  const auto body = body_of(address, "GET", "/status", 200);
  if (!body) return 1;
  const std::string table = form == StatusForm::Table ? status_table(*body) : *body;
  if (table.empty()) return complain("admin address " + address.address.to_string() + ": that is no status");
  std::fputs(table.c_str(), stdout);
  return 0;
}

}  // namespace perilune::app
