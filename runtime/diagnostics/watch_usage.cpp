// SPDX-License-Identifier: MIT
#include "watch_usage.hpp"

#include "../sleep.hpp"
#include <stdexcept>

namespace coracle {

task<> watch_usage(std::chrono::nanoseconds interval,
                   std::function<void(const usage_report&)> sink) {
    if (interval <= std::chrono::nanoseconds::zero())
        throw std::invalid_argument("watch_usage needs an interval above zero");
    for (;;) {
        sink(usage());
        co_await sleep_for(interval);
    }
}

} // namespace coracle
