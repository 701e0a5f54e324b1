// SPDX-License-Identifier: MIT
//
// rio_double: registered I/O as its documentation describes it, over WSARecv and WSASend, for
// systems that have none. It fills the table that SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER
// gives.
//
// What it insists on: notification is one-shot; a slice lies within its buffer; a request queue has
// no more requests than it was made for, and a completion queue no more queues than it has places
// for; deferred requests start when they are committed. It stops the program where a queue is used
// by two threads at once, or a buffer is deregistered while a request uses it.
#pragma once

#include <coracle/io/windows/rio_api.hpp>
#include <cstddef>

namespace coracle::test {

/// What it gives at most, and what it refuses.
struct rio_limits {
    SOCKET plain = INVALID_SOCKET; // opened without the flag, which this system cannot tell
    std::size_t buffers = 1024;
    DWORD completions = 1 << 16;
};

/// Leads WSAIoctl to it.
void install_rio_double();

/// Leads it back to the system.
void uninstall_rio_double();

[[nodiscard]] const rio::functions& rio_double();

[[nodiscard]] rio_limits& rio_double_limits();

/// How many there are now. A buffer that a socket still uses whose completion queue is closed does
/// not count: nobody may deregister it.
[[nodiscard]] std::size_t rio_double_buffers();
[[nodiscard]] std::size_t rio_double_completion_queues();

/// How many completions have come, and were not taken.
[[nodiscard]] std::size_t rio_double_waiting();

/// How many buffers were registered, and how many requests were begun, since the program began.
struct rio_totals {
    std::size_t buffers = 0;
    std::size_t requests = 0;
};

[[nodiscard]] rio_totals rio_double_totals();

/// Stops the program, with a message, if a buffer is left registered or a queue open.
void check_rio_double();

} // namespace coracle::test
