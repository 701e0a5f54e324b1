// SPDX-License-Identifier: MIT
#include "thread_state.hpp"

#include "../memory/fatal.hpp"

namespace coracle::detail {

constinit thread_local thread_state this_thread;

constinit unsigned forks = 0;

void used_after_fork() noexcept {
    fatal("this process was forked while a loop ran, which is the parent's: in the child exec, "
          "_exit, or make a context of its own");
}

void no_loop_here(const char* message) noexcept {
    if (this_thread.forked)
        used_after_fork();
    fatal(message);
}

} // namespace coracle::detail
