// SPDX-License-Identifier: MIT
#include "task.hpp"

#include "diagnostics/describe.hpp"
#include "diagnostics/warning.hpp"
#include <exception>
#include <fmt/format.h>

namespace coracle::detail {

void warn_of_unawaited(const promise_base& root) noexcept {
    const job* const running = job::current();
    if (std::uncaught_exceptions() > 0 || (running && running->cancelled()))
        return;
    try {
        if constexpr (inspectable)
            warning(
                fmt::format("a task was made and never awaited: {}", describe(root.where.get())));
        else
            warning("a task was made and never awaited");
    } catch (...) {
        warning("a task was made and never awaited");
    }
}

std::coroutine_handle<> enter_slowly(task_promise_base& child) noexcept {
    promise_base& parent = *child.continuation;
    if (child.owner->refuses(parent)) {
        child.failure = cancelled_exception();
        child.owner->schedule(parent);
    } else {
        child.owner->schedule(child);
    }
    return std::noop_coroutine();
}

} // namespace coracle::detail
