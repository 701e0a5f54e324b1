// SPDX-License-Identifier: MIT
// expect: a task or operation is awaited once: write co_await std::move(x)
#include <coracle/runtime/task.hpp>

coracle::task<int> one();

coracle::task<int> named_task() {
#ifdef FIXED
    co_return co_await one();
#else
    coracle::task<int> named = one();
    co_return co_await named;
#endif
}
