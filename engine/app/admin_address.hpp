#pragma once

#include <string>

#include "base/error.hpp"
#include "net/address.hpp"

namespace perilune::app {

/// Where a process is asked how it is, and told what to do.
struct AdminAddress {
  net::Address address;
  /// What a client has to know; empty for a unix socket, whose file says who may.
  std::string token = {};
  /// Nobody asked for it: another process may have it.
  bool is_default = false;
};

/// As it stands on the command line.
struct AdminWords {
  /// "unix:PATH" or a path with a "/", "IP:PORT", or a port of 127.0.0.1; empty for the default.
  std::string address = {};
  /// A file that has the token; empty: the variable PERILUNE_ADMIN_TOKEN has it.
  std::string token_file = {};
  /// Addresses that other machines reach are allowed.
  bool allows_any = false;
};

/// "off": then there is none.
bool is_off(const AdminWords& words);

/// Errors (Side::Script): a sentence that says what is wrong with the words and what to write instead: no
/// address, one that other machines reach, TCP without a token.
Result<AdminAddress> read_admin_address(const AdminWords& words);

/// `$XDG_RUNTIME_DIR/perilune.sock`, else `/run/perilune.sock` for root and `/tmp/perilune-UID.sock` for
/// others.
net::Address default_admin_address();

}  // namespace perilune::app
