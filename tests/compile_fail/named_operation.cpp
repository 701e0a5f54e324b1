// SPDX-License-Identifier: MIT
// expect: a task or operation is awaited once: write co_await std::move(x)
#include <coracle/runtime/sleep.hpp>

coracle::task<> named_operation() {
    auto named = coracle::sleep_for(std::chrono::seconds(1));
#ifdef FIXED
    co_await std::move(named);
#else
    co_await named;
#endif
}
