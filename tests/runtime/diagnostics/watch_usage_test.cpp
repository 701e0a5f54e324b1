// SPDX-License-Identifier: MIT
//
// watch_usage: a report at once and after each interval, until it is cancelled.
#include "virtual_loop.hpp"

#include <chrono>
#include <coracle/runtime/diagnostics/inspect.hpp>
#include <coracle/runtime/diagnostics/watch_usage.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/timeout.hpp>
#include <stdexcept>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(virtual_loop, "watch_usage: a report at once and at each interval") {
    std::vector<time_point> moments;
    const time_point begin = event_loop.now();
    run([&moments]() -> task<> {
        auto note = [&moments](const usage_report& report) {
            CHECK(report.live_frames > 0);
            moments.push_back(now());
        };
        task<> watching = with_timeout(25ms, watch_usage(10ms, note));
        const std::string failure = co_await failure_of(std::move(watching));
        CHECK(failure != "nothing");
    });
    CHECK(moments == std::vector<time_point>{begin, begin + 10ms, begin + 20ms});
}

TEST_CASE_FIXTURE(virtual_loop, "watch_usage: an interval of zero is refused") {
    auto ignore = [](const usage_report&) {};
    auto watch = [&]() -> task<> { co_await watch_usage(0ms, ignore); };
    CHECK_THROWS_AS(run(watch), std::invalid_argument);
}

TEST_CASE_FIXTURE(virtual_loop, "watch_usage: what the sink throws ends it") {
    auto fail = [](const usage_report&) { throw std::runtime_error("the log is full"); };
    auto watch = [&]() -> task<> { co_await watch_usage(1ms, fail); };
    CHECK_THROWS_WITH(run(watch), "the log is full");
}

TEST_CASE_FIXTURE(virtual_loop, "watch_usage: it leaves the name of its job alone") {
    if (!detail::inspectable)
        return;
    run([]() -> task<> {
        auto ignore = [](const usage_report&) {};
        auto body = [&](task_group& group) -> task<> {
            group.start("metrics", watch_usage(1ms, ignore));
            co_await yield();
            CHECK(to_string(inspect()).find("metrics: waiting for sleep") != std::string::npos);
            group.cancel();
        };
        co_await with_task_group(body);
    });
}
