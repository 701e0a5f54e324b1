// SPDX-License-Identifier: MIT
//
// The end of a thread on Windows, by mingw-w64, where a thread_local may not be what is destroyed.
// Its GCC keeps thread_locals in memory that belongs to a pthread key, and the list of their
// destructors in another. The keys of an ended thread go in the order in which they were made, and
// the one of the memory is nearly always the first. Destructors then find their objects freed, and
// every other thread_local as it was before its first use; what such a read has made anew is freed
// in the next round over the keys.
//
// So what is called here gets its argument from the list itself, through the function by which the
// compiler fills it. A thread that has forgotten its pool may ask a second time as it ends: both
// calls are made. A callback of FlsAlloc would not do: in a thread that pthread_create has not
// made it comes too early, before all destructors, and in others after the last round.

#include "thread_end.hpp"

#include <cxxabi.h>
#include <new>

extern "C" char __dso_handle; // names the module, which stays until all its calls are made

namespace coracle::detail {

void at_thread_end(void (*call)(void*), void* argument) {
    if (abi::__cxa_thread_atexit(call, argument, &__dso_handle) != 0) {
        throw std::bad_alloc();
    }
}

} // namespace coracle::detail
