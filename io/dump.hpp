// SPDX-License-Identifier: MIT
//
// dump_on: a signal has the program write what everything in it waits for, while it goes on.
#pragma once

#include "../runtime/diagnostics/creation_site.hpp"
#include "../runtime/task.hpp"
#include <functional>
#include <string>
#include <string_view>

namespace coracle {

/// The tree of this thread's loop and what the process uses, as text of many lines.
[[nodiscard]] std::string dump();

/// Gives dump() to `sink`, or writes it to standard error if there is none, whenever `signal`
/// comes, until it is cancelled. A task, so that it ends with the scope that it is in and
/// keeps nothing from ending: `co_await when_any(serve(), dump_on(SIGUSR1))`.
///
/// The signal is caught from the call on, and has its old effect when the task is gone.
///
/// errors   operation_canceled; what `sink` throws; from the call as signal_set
[[nodiscard]] task<> dump_on(int signal, std::function<void(std::string_view)> sink = {},
                             creation_site where = {});

} // namespace coracle
