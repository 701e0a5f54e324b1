// SPDX-License-Identifier: MIT
//
// The end of the program when it has broken one of this library's rules. A rule that is broken
// stops the program with a message that names it; it is never undefined behaviour.
#pragma once

#include <string_view>

namespace coracle::detail {

/// Writes "coracle: fatal: <message>" to stderr in one write and aborts. Allocates nothing.
[[noreturn]] void fatal(std::string_view message) noexcept;

} // namespace coracle::detail
