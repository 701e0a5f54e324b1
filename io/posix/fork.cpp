// SPDX-License-Identifier: MIT
//
// A forked child has the memory of its parent's context and shares its kernel objects: a request
// that the child puts into an io_uring, or takes out of an epoll instance, is the parent's. So the
// thread of the child forgets its context at once, before any code of the program runs.
//
// Of the parent's other threads the child has none, but it has the locks that they held. The lists
// that all threads share are whole and unlocked in the child, because the fork waits for them. The
// queue of a loop, which is the parent's, is never locked there.
#include "../../runtime/diagnostics/gauge.hpp"
#include "../../runtime/diagnostics/leaks.hpp"
#include "../backend.hpp"
#include "../unused_sockets.hpp"

#include <pthread.h>

namespace coracle::detail {

namespace {

void lock_shared_lists() noexcept {
    lock_leak_sources();
    lock_unused_sockets();
    lock_gauges();
}

void unlock_shared_lists() noexcept {
    unlock_gauges();
    unlock_unused_sockets();
    unlock_leak_sources();
}

void begin_child() noexcept {
    unlock_shared_lists();
    const bool had_loop = this_thread.loop || this_thread.forked;
    this_thread = {};
    this_thread.forked = had_loop;
    ++forks;
}

} // namespace

void disown_context_after_fork() noexcept {
    static const int installed =
        ::pthread_atfork(lock_shared_lists, unlock_shared_lists, begin_child);
    static_cast<void>(installed);
}

} // namespace coracle::detail
