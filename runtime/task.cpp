// SPDX-License-Identifier: MIT
#include "task.hpp"

namespace coracle::detail {

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
