// SPDX-License-Identifier: MIT
//
// The end of a thread on a POSIX system: a thread_local that is destroyed. Unlike the destructor of
// a pthread key it comes in the main thread too, and keeps a shared library from being unloaded.

#include "thread_end.hpp"

namespace coracle::detail {
namespace {

struct last_call {
    void (*call)(void*);
    void* argument;

    ~last_call() { call(argument); }
};

} // namespace

void at_thread_end(void (*call)(void*), void* argument) {
    thread_local const last_call asked_for{call, argument};
}

} // namespace coracle::detail
