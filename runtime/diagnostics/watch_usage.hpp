// SPDX-License-Identifier: MIT
//
// watch_usage: what the process uses, again and again, for a log or a graph.
#pragma once

#include "../task.hpp"
#include "usage.hpp"
#include <chrono>
#include <functional>

namespace coracle {

/// Gives a report of usage() to `sink`, at once and then after each `interval`, until it is
/// cancelled. Beside what it watches: `co_await when_any(serve(), watch_usage(10s, print))`.
///
/// errors   operation_canceled; std::invalid_argument, when awaited, for an interval that is not
///          above zero; what `sink` throws
/// cost     a timer, and a walk over the pools for each report
[[nodiscard]] task<> watch_usage(std::chrono::nanoseconds interval,
                                 std::function<void(const usage_report&)> sink);

} // namespace coracle
