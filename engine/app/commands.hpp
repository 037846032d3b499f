#pragma once

#include <cstdint>

#include "app/admin_address.hpp"

namespace perilune::app {

/// The commands that talk to a running process. Each prints what it was told, complaints on the standard
/// error, and gives the exit code: 0, or 1 when nobody answers or the answer is no.

/// Has it load its scripts anew.
int command_reload(const AdminAddress& address);
/// Has it stop, and waits until it has; a second one has it stop at once.
int command_stop(const AdminAddress& address);
enum class StatusForm : uint8_t { Table, Json };
int command_status(const AdminAddress& address, StatusForm form);

}  // namespace perilune::app
