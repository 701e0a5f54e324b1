// SPDX-License-Identifier: MIT
//
// A forked child has the memory of its parent's context and shares its kernel objects: a request
// that the child puts into an io_uring, or takes out of an epoll instance, is the parent's. So the
// thread of the child forgets its context at once, before any code of the program runs.
#include "../backend.hpp"

#include <pthread.h>

namespace coracle::detail {

void disown_context_after_fork() noexcept {
    static const int installed = ::pthread_atfork(nullptr, nullptr, [] {
        const bool had_loop = this_thread.loop || this_thread.forked;
        this_thread = {};
        this_thread.forked = had_loop;
    });
    static_cast<void>(installed);
}

} // namespace coracle::detail
