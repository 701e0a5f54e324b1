// SPDX-License-Identifier: MIT
// expect: a task does nothing until it is awaited
#include <coracle/runtime/task.hpp>

coracle::task<int> one();

coracle::task<> dropped_task() {
#ifdef FIXED
    static_cast<void>(co_await one());
#else
    one();
#endif
    co_return;
}
