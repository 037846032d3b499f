#pragma once

#include <string>

#include "app/admin_address.hpp"
#include "base/error.hpp"
#include "base/time.hpp"

namespace perilune::app {

struct AdminAnswer {
  int status = 0;
  std::string body;
};

/// Sends a request to the admin address of a running process and waits for its whole answer, for `patience`
/// at most between two pieces of it. Blocks. Errors (Side::Engine): a sentence: nobody listens there, it may
/// not be asked, it says nothing, or what it says is no HTTP.
Result<AdminAnswer> ask_admin(const AdminAddress& address, const std::string& method, const std::string& path,
                              Duration patience);

/// Blocks until nobody listens at the address any more.
void wait_until_gone(const AdminAddress& address);

}  // namespace perilune::app
