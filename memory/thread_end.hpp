// SPDX-License-Identifier: MIT
//
// What is to be done when a thread ends. Each platform defines the function below in its own
// thread_end_*.cpp.
#pragma once

namespace coracle::detail {

/// Has `call(argument)` made once when the calling thread ends, in turn with the destructors of its
/// thread_locals: what was asked for last comes first. A thread asks once.
///
/// errors   std::bad_alloc, and then the call is not made
void at_thread_end(void (*call)(void*), void* argument);

} // namespace coracle::detail
