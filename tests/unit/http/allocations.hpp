#pragma once

#include <cstddef>

/// How often this program took memory by operator new: the steady paths take none.
std::size_t allocation_count();
