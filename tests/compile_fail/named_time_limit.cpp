// SPDX-License-Identifier: MIT
// expect: a task or operation is awaited once: write co_await std::move(x)
#include <coracle/runtime/timeout.hpp>

coracle::task<> named_time_limit() {
    auto named = coracle::with_timeout(std::chrono::seconds(1), coracle::yield());
#ifdef FIXED
    co_await std::move(named);
#else
    co_await named;
#endif
}
