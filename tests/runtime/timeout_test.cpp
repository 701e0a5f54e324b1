// SPDX-License-Identifier: MIT
//
// with_timeout, with_deadline and shielded: whose end is whose, to the nanosecond.
#include "virtual_loop.hpp"

#include <algorithm>
#include <chrono>
#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

task<int> after(std::chrono::milliseconds delay, int value) {
    co_await sleep_for(delay);
    co_return value;
}

/// Ends well with its value, however often it is cancelled.
task<int> deaf(std::chrono::milliseconds delay, int value) {
    co_return co_await shielded(after(delay, value));
}

/// When cancelled, cleans up for `delay` and then says so.
task<int> cleans_up(std::chrono::milliseconds delay) {
    const result<void> slept = co_await as_result(sleep_until(time_point::max()));
    co_await shielded(sleep_for(delay));
    slept.value();
    co_return 0;
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: in time, it gives the value and leaves no timer") {
    run([]() -> task<> {
        const time_point start = now();
        const int value = co_await with_timeout(5ms, after(2ms, 7));
        CHECK(value == 7);
        CHECK(now() == start + 2ms);
        CHECK(loop::current().timer_wheel().empty());
        co_await with_timeout(5ms, sleep_for(1ms));
        CHECK(now() == start + 3ms);
        int object = 0;
        auto reference = [&object]() -> task<int&> { co_return object; };
        int& same = co_await with_timeout(1ms, reference());
        CHECK(&same == &object);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: too late, it throws timed_out at the deadline") {
    run([]() -> task<> {
        const time_point start = now();
        const result<int> late = co_await as_result(with_timeout(2ms, after(3ms, 7)));
        CHECK(late.error() == std::errc::timed_out);
        CHECK(now() == start + 2ms);
        event never;
        const result<void> awaiter = co_await as_result(with_timeout(2ms, never.wait()));
        CHECK(awaiter.error() == std::errc::timed_out);
        CHECK(now() == start + 4ms);
        // The job itself is not cancelled by that.
        co_await sleep_for(1ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: its time runs from the await, not from the call") {
    run([]() -> task<> {
        const time_point start = now();
        auto limited = with_timeout(3ms, after(5ms, 1));
        co_await sleep_for(2ms);
        const result<int> late = co_await as_result(std::move(limited));
        CHECK(late.error() == std::errc::timed_out);
        CHECK(now() == start + 5ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: it can be what is run") {
    CHECK(event_loop.run(with_timeout(3ms, after(1ms, 7))) == 7);
}

TEST_CASE_FIXTURE(virtual_loop, "with_deadline: in the past, waits end at once") {
    run([]() -> task<> {
        const time_point start = now();
        const result<int> late = co_await as_result(with_deadline(start - 1s, after(3ms, 7)));
        CHECK(late.error() == std::errc::timed_out);
        const result<int> zero = co_await as_result(with_timeout(0ns, after(1ms, 7)));
        CHECK(zero.error() == std::errc::timed_out);
        CHECK(now() == start);
        // Whoever need not wait is in time.
        auto at_once = []() -> task<int> { co_return 5; };
        const int value = co_await with_deadline(time_point::min(), at_once());
        CHECK(value == 5);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: longer than the clock can say") {
    run([]() -> task<> {
        const int value = co_await with_timeout(std::chrono::hours::max(), after(1ms, 5));
        CHECK(value == 5);
        const int other = co_await with_deadline(time_point::max(), after(1ms, 6));
        CHECK(other == 6);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: a deadline at the very moment of the value") {
    run([]() -> task<> {
        // Which of the two timers expires first depends on how far away they were.
        int values = 0;
        int timeouts = 0;
        for (int magnitude = 0; magnitude < 50; ++magnitude) {
            const std::chrono::nanoseconds delay(std::int64_t{1} << magnitude);
            const time_point start = now();
            const result<void> end = co_await as_result(with_timeout(delay, sleep_for(delay)));
            CHECK(now() == start + delay);
            ++(end ? values : timeouts);
        }
        CHECK(values > 0);
        CHECK(timeouts > 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: a value that comes late is a value") {
    run([]() -> task<> {
        const time_point start = now();
        const int value = co_await with_timeout(2ms, deaf(9ms, 4));
        CHECK(value == 4);
        CHECK(now() == start + 9ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: clean-up after the deadline is awaited") {
    run([]() -> task<> {
        const time_point start = now();
        const result<int> late = co_await as_result(with_timeout(2ms, cleans_up(5ms)));
        CHECK(late.error() == std::errc::timed_out);
        CHECK(now() == start + 7ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: an exception from inside goes before the timeout") {
    run([]() -> task<> {
        auto fails = []() -> task<int> {
            co_await sleep_for(1ms);
            throw std::runtime_error("in time");
        };
        std::string failure = co_await failure_of(with_timeout(2ms, fails()));
        CHECK(failure == "in time");
        auto fails_late = []() -> task<int> {
            static_cast<void>(co_await as_result(sleep_until(time_point::max())));
            throw std::runtime_error("because of the timeout");
        };
        failure = co_await failure_of(with_timeout(2ms, fails_late()));
        CHECK(failure == "because of the timeout");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: nested, the earlier deadline decides") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto inner = [&](std::chrono::milliseconds limit) -> task<> {
            const result<int> waited = co_await as_result(with_timeout(limit, after(1h, 1)));
            ends += waited.error() == std::errc::timed_out ? "timed out " : "cancelled ";
            co_await sleep_for(1ms);
            ends += "went on ";
        };
        co_await with_timeout(9ms, inner(2ms));
        CHECK(now() == start + 3ms);
        const result<void> outer = co_await as_result(with_timeout(2ms, inner(9ms)));
        CHECK(outer.error() == std::errc::timed_out);
        CHECK(now() == start + 5ms);
        CHECK(ends == "timed out went on cancelled ");
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "with_timeout: cancelled from above, it is cancelled, not timed out") {
    run([]() -> task<> {
        const time_point start = now();
        std::error_code end;
        auto body = [&](task_group& group) -> task<> {
            group.start([&]() -> task<> {
                const result<int> waited = co_await as_result(with_timeout(5ms, after(1h, 1)));
                end = waited.error();
            });
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(end == std::errc::operation_canceled);
        CHECK(now() == start + 1ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "with_timeout: a deadline that comes during clean-up after a cancel") {
    run([]() -> task<> {
        const time_point start = now();
        std::error_code end;
        auto body = [&](task_group& group) -> task<> {
            group.start([&]() -> task<> {
                const result<int> waited = co_await as_result(with_timeout(5ms, cleans_up(9ms)));
                end = waited.error();
                static_cast<void>(waited.value());
            });
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(end == std::errc::operation_canceled);
        CHECK(now() == start + 10ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: awaited by a job that is cancelled already") {
    run([]() -> task<> {
        const time_point start = now();
        std::error_code end;
        auto body = [&](task_group& group) -> task<> {
            group.cancel();
            const result<int> waited = co_await as_result(with_timeout(5ms, after(1ms, 1)));
            end = waited.error();
        };
        co_await with_task_group(body);
        // The body had not begun to wait when its group was cancelled.
        CHECK(end == std::errc::operation_canceled);
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "shielded: clean-up can wait, and the job stays cancelled") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            group.start([&]() -> task<> {
                const result<void> slept = co_await as_result(sleep_for(1h));
                ends += slept ? "slept " : "cancelled ";
                const int value = co_await shielded(after(4ms, 3));
                ends += std::to_string(value);
                const result<void> next = co_await as_result(sleep_for(1h));
                ends += next ? " slept" : " cancelled";
            });
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(ends == "cancelled 3 cancelled");
        CHECK(now() == start + 5ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "shielded: cancelled while it runs, it runs to its own end") {
    run([]() -> task<> {
        const time_point start = now();
        int value = 0;
        auto body = [&](task_group& group) -> task<> {
            group.start([&value]() -> task<> { value = co_await shielded(after(4ms, 3)); });
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(value == 3);
        CHECK(now() == start + 4ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "shielded: values, exceptions, move-only values and references") {
    run([]() -> task<> {
        auto owner = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
        const std::unique_ptr<int> owned = co_await shielded(owner());
        CHECK(*owned == 4);
        int object = 0;
        auto reference = [&object]() -> task<int&> { co_return object; };
        int& same = co_await shielded(reference());
        CHECK(&same == &object);
        auto fails = []() -> task<> {
            co_await yield();
            throw std::runtime_error("from within");
        };
        const std::string failure = co_await failure_of(shielded(fails()));
        CHECK(failure == "from within");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "shielded: a timeout inside a shield works") {
    run([]() -> task<> {
        const time_point start = now();
        std::error_code end;
        auto body = [&](task_group& group) -> task<> {
            group.start([&]() -> task<> {
                static_cast<void>(co_await as_result(sleep_for(1h)));
                const result<int> waited =
                    co_await as_result(shielded(with_timeout(2ms, after(1h, 1))));
                end = waited.error();
            });
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(end == std::errc::timed_out);
        CHECK(now() == start + 3ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "with_timeout: of an operation it takes no frame, of a task one") {
    run([]() -> task<> {
        event never;
        std::size_t most = 0;
        const std::size_t before = usage().live_frames;
        auto watches = [&]() -> task<> {
            for (int i = 0; i < 3; ++i) {
                most = std::max(most, usage().live_frames - before);
                co_await yield();
            }
        };
        auto limited = [&](auto awaited) -> task<> {
            most = 0;
            static_cast<void>(co_await as_result(when_all(std::move(awaited), watches())));
        };
        // The frames of `limited`, of `watches`, and of the job that when_all makes.
        co_await limited(with_timeout(1ms, never.wait()));
        CHECK(most == 3);
        co_await limited(with_timeout(1ms, after(1h, 1)));
        CHECK(most == 4);
    });
}
