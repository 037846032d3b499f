#include "app/admin_address.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/text.hpp"
#include "script/script_file.hpp"

namespace perilune::app {
namespace {

constexpr const char* token_variable = "PERILUNE_ADMIN_TOKEN";
constexpr size_t token_bytes_min = 16;  // less can be guessed
constexpr size_t token_bytes_max = 1024;

Error wrong(std::string sentence) { return {ErrorCode::ScriptError, Side::Script, std::move(sentence)}; }

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<net::Address> parse(const std::string& text) {
  if (text.find('/') != std::string::npos && !text.starts_with("unix:"))
    return net::Address::parse("unix:" + text);
  if (parse_decimal(text)) return net::Address::parse("127.0.0.1:" + text);
  return net::Address::parse(text);
}

bool is_loopback(const net::Address& address) {
  return address.kind == net::Address::Kind::Ip6 ? address.host == "::1" : address.host.starts_with("127.");
}

Result<std::string> given_token(const std::string& file) {
  if (file.empty()) return variable(token_variable);
  auto content = script::read_whole_file(file, token_bytes_max);
  if (!content) return wrong("--admin-token-file: " + content.error().detail);
  while (!content->empty() && (content->back() == '\n' || content->back() == '\r' || content->back() == ' '))
    content->pop_back();
  return content;
}

Result<std::string> read_token(const std::string& file) {
  auto token = given_token(file);
  if (!token) return token;
  const std::string where = file.empty() ? std::string(token_variable) : file;
  if (token->empty() && file.empty())
    return wrong("--admin: a TCP address needs a token: --admin-token-file FILE, or the variable " + where);
  for (const char c : *token)
    if (c <= ' ' || c > '~') return wrong(where + ": a token is of visible ASCII characters, without spaces");
  if (token->size() < token_bytes_min)
    return wrong(where + ": a token has at least " + std::to_string(token_bytes_min) +
                 " characters; \"openssl rand -hex 32\" makes one");
  return token;
}

/// What is said of an address that is written as a URL; empty of another one.
std::string fault_of_url(const std::string& address) {
  const size_t scheme = address.find("://");
  if (scheme == std::string::npos) return {};
  std::string rest = address.substr(scheme + 3);
  if (address.starts_with("unix:")) return "an address has no \"//\"; write unix:" + rest;
  rest = rest.substr(0, rest.find('/'));
  return "an address has no scheme; write --admin " + rest;
}

}  // namespace

bool is_off(const AdminWords& words) { return words.address == "off"; }

net::Address default_admin_address() {
  const std::string folder = variable("XDG_RUNTIME_DIR");
  std::string path = "/run/perilune.sock";
  if (!folder.empty()) path = folder + "/perilune.sock";
  else if (geteuid() != 0) path = "/tmp/perilune-" + std::to_string(geteuid()) + ".sock";
  return {net::Address::Kind::Unix, path, 0};
}

Result<AdminAddress> read_admin_address(const AdminWords& words) {
  if (words.address.empty()) return AdminAddress{default_admin_address(), {}, true};
  if (const std::string sentence = fault_of_url(words.address); !sentence.empty())
    return wrong("--admin: " + sentence);
  auto address = parse(words.address);
  if (!address || address->needs_resolving())
    return wrong("--admin: " + in_quotes(words.address) +
                 " is no address: write unix:PATH, IP:PORT, a port of 127.0.0.1, or off");
  if (address->kind == net::Address::Kind::Unix) return AdminAddress{std::move(*address)};
  if (!is_loopback(*address) && !words.allows_any)
    return wrong("--admin: other machines reach " + address->to_string() + ": add --admin-any if they shall");
  auto token = read_token(words.token_file);
  if (!token) return token.error();
  return AdminAddress{std::move(*address), std::move(*token)};
}

}  // namespace perilune::app
