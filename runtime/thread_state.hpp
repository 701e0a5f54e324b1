// SPDX-License-Identifier: MIT
//
// thread_state: what a thread runs. There is one for each thread; every `current()` reads it.
//
// It is defined in the library and never inline: a program that hides its own symbols would
// otherwise have a second copy beside that of a shared library.
#pragma once

#include "driver.hpp"
#include <cstdint>

namespace coracle {

class loop;

namespace detail {

struct job_name;

struct thread_state {
    /// Steps that may still be taken without going through the ready queue: tasks entered or left,
    /// and operations that completed inline. It bounds the depth of the machine stack where the
    /// compiler makes no tail calls, and keeps one busy job from starving the rest.
    int inline_budget = 0;

    /// Steps that children may still take in this iteration within the job that starts them;
    /// without any left, they go through the ready queue.
    int start_budget = 0;

    /// The same as to the machine stack that they use: its lowest address at which one may begin.
    const void* stack_limit = nullptr;

    /// The name of the job that runs; null between jobs.
    job_name* running_job = nullptr;

    /// When the loop's iteration began: what ages are measured by.
    time_point iteration_start = {};

    coracle::loop* loop = nullptr;

    // Set by io/, which knows their types: where operations go to, and the context of both.
    driver* backend = nullptr;
    void* context = nullptr;

    /// Whether this process was forked while a loop ran here: that loop is the parent's.
    bool forked = false;

    /// Tells this thread from all others, those that have ended included; 0 until it is asked for.
    std::uint64_t number = 0;
};

// Initial-exec, because a call to find the variable would cost more than reading it when the
// library is shared. It is small enough for the static TLS that is left for dlopen.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local thread_state this_thread;

/// How often this process and its ancestors have forked: what was made with a smaller number
/// belongs to the parent.
extern constinit unsigned forks;

/// Stops the program: something of the parent's is used in a forked child.
[[noreturn]] void used_after_fork() noexcept;

/// Stops the program with `message`, or after a fork with what holds then: there is no loop here.
[[noreturn]] void no_loop_here(const char* message) noexcept;

} // namespace detail

} // namespace coracle
