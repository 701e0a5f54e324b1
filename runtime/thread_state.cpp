// SPDX-License-Identifier: MIT
#include "thread_state.hpp"

#include "../memory/fatal.hpp"

namespace coracle::detail {

constinit thread_local thread_state this_thread;

void no_loop_here(const char* message) noexcept {
    fatal(this_thread.forked
              ? "this process was forked while a loop ran, which is the parent's: in "
                "the child exec, _exit, or make a context of its own"
              : message);
}

} // namespace coracle::detail
