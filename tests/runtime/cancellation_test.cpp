// SPDX-License-Identifier: MIT
//
// Cancellation wherever it may come: everything that suspends is cancelled at each of its
// suspensions, and each time all jobs retire and nothing is left behind.
#include "await_point_sweep.hpp"
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

using virtual_sweep = await_point_sweep<virtual_loop>;

/// Something that several waits in a row and a value on the way would leak or lose.
task<std::unique_ptr<int>> works(int steps) {
    auto value = std::make_unique<int>(0);
    for (int i = 0; i < steps; ++i) {
        co_await sleep_for(1ms);
        ++*value;
        co_await yield();
    }
    co_return value;
}

task<> works_for_nothing(int steps) {
    static_cast<void>(co_await works(steps));
}

task<> cleans_up(event& cleaned) {
    const result<void> slept = co_await as_result(sleep_for(2ms));
    co_await shielded(sleep_for(3ms));
    cleaned.set();
    slept.value();
}

/// Cleans up with what it was given, however it ends.
task<> uses(std::string& borrowed, int steps) {
    const auto worked = co_await as_result(works(steps));
    co_await shielded(sleep_for(3ms));
    borrowed += worked ? std::to_string(steps) : "cancelled";
    static_cast<void>(worked.value());
}

} // namespace

TEST_CASE("cancel: at each suspension of sleep and yield") {
    CHECK(virtual_sweep().run([]() -> task<> {
        co_await sleep_for(1ms);
        co_await sleep_for(0ns);
        co_await yield();
        co_await sleep_for(1h);
    }) >= 4);
}

TEST_CASE("cancel: at each suspension of a chain of tasks") {
    const int points = virtual_sweep().run([]() -> task<> {
        auto middle = []() -> task<int> {
            auto owned = co_await works(2);
            co_await works_for_nothing(1);
            co_return *owned;
        };
        const int value = co_await middle();
        CHECK(value == 2);
    });
    CHECK(points >= 6);
}

TEST_CASE("cancel: at each suspension of an event's waiters") {
    const int points = virtual_sweep().run([]() -> task<> {
        event first;
        event second;
        auto waiter = [&]() -> task<> {
            co_await first.wait();
            second.set();
            co_await yield();
        };
        auto setter = [&]() -> task<> {
            co_await sleep_for(1ms);
            first.set();
            co_await second.wait();
        };
        co_await when_all(waiter(), waiter(), setter());
    });
    CHECK(points >= 7);
}

TEST_CASE("cancel: at each suspension of a task_group") {
    const int points = virtual_sweep().run([]() -> task<> {
        auto body = [](task_group& group) -> task<std::unique_ptr<int>> {
            group.start(works(2));
            group.start([owned = std::make_unique<int>(1)]() -> task<> {
                co_await works_for_nothing(*owned);
            });
            co_await sleep_for(1ms);
            group.start(works_for_nothing, 3);
            co_return co_await works(1);
        };
        const auto value = co_await with_task_group(body);
        CHECK(*value == 1);
    });
    CHECK(points >= 13);
}

TEST_CASE("cancel: at each suspension of nested task_groups") {
    const int points = virtual_sweep().run([]() -> task<> {
        auto inner = [](task_group& group) -> task<> {
            group.start(works(1));
            group.start(works(2));
            co_await yield();
        };
        auto outer = [&inner](task_group& group) -> task<> {
            group.start(with_task_group(inner));
            co_await with_task_group(inner);
        };
        co_await with_task_group(outer);
    });
    CHECK(points >= 13);
}

TEST_CASE("cancel: at each suspension of a task_group that cancels itself") {
    // From then on the group absorbs what the cancellation does.
    const int points = virtual_sweep().may_complete().run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start(works(9));
            group.start(works(2));
            co_await sleep_for(2ms);
            group.cancel();
        };
        co_await with_task_group(body);
    });
    CHECK(points >= 6);
}

TEST_CASE("cancel: at each suspension of a body whose jobs use what is local to it") {
    CHECK(virtual_sweep().may_take_time().run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            std::string local(100, 'x');
            group.start(uses(local, 1));
            group.start(uses(local, 3));
            co_await group.wait_for_others();
            CHECK(local.ends_with("x13"));
        };
        co_await with_task_group(body);
    }) >= 8);
}

TEST_CASE("cancel: at each suspension of when_all") {
    const int points = virtual_sweep().run([]() -> task<> {
        const auto values = co_await when_all(works(2), sleep_for(3ms), works_for_nothing(1));
        CHECK(*std::get<0>(values) == 2);
        std::vector<task<std::unique_ptr<int>>> many;
        for (int i = 0; i < 4; ++i)
            many.push_back(works(i));
        const auto range = co_await when_all(std::move(many));
        CHECK(*range[3] == 3);
    });
    CHECK(points >= 16);
}

TEST_CASE("cancel: at each suspension of when_any") {
    const int points = virtual_sweep().may_complete().run([]() -> task<> {
        const auto first = co_await when_any(works(3), sleep_for(1us), works(2));
        CHECK(first.index() == 1);
        std::vector<task<std::unique_ptr<int>>> many;
        for (int i = 0; i < 4; ++i)
            many.push_back(works(4 - i));
        const auto any = co_await when_any(std::move(many));
        CHECK(any.index() == 3);
    });
    CHECK(points >= 12);
}

TEST_CASE("cancel: at each suspension of with_timeout") {
    const int points = virtual_sweep().may_complete().run([]() -> task<> {
        const auto in_time = co_await with_timeout(5ms, works(2));
        CHECK(*in_time == 2);
        const auto late = co_await as_result(with_timeout(2ms, works(9)));
        const bool by_deadline = late.error() == std::errc::timed_out;
        const bool by_cancel = late.error() == std::errc::operation_canceled;
        CHECK((by_deadline || by_cancel));
    });
    CHECK(points >= 12);
}

TEST_CASE("cancel: at each suspension of shielded clean-up, which runs to its end") {
    int started = 0;
    int finished = 0;
    const int points = virtual_sweep().may_take_time().may_complete().run([&]() -> task<> {
        event cleaned;
        auto tracked = [&]() -> task<> {
            ++started;
            co_await shielded(cleans_up(cleaned));
            CHECK(cleaned.is_set());
            ++finished;
        };
        co_await tracked();
        co_await cleans_up(cleaned);
    });
    CHECK(points >= 8);
    CHECK(started == points + 1);
    CHECK(finished == started);
}

TEST_CASE("cancel: at each suspension of all of them together") {
    const int points = virtual_sweep().may_take_time().may_complete().run([]() -> task<> {
        event cleaned;
        auto body = [&cleaned](task_group& group) -> task<> {
            group.start(cleans_up(cleaned));
            group.start(when_any(works(2), with_timeout(5ms, works(1)), cleaned.wait()));
            static_cast<void>(co_await when_all(works(1), cleaned.wait(), shielded(works(2))));
        };
        co_await with_timeout(50ms, with_task_group(body));
    });
    CHECK(points >= 16);
}

TEST_CASE_FIXTURE(virtual_loop, "cancel: whoever swallows the error still cannot go on waiting") {
    run([]() -> task<> {
        const time_point start = now();
        event never;
        int cancelled_waits = 0;
        auto body = [&](task_group& group) -> task<> {
            auto deaf = [&]() -> task<> {
                for (int i = 0; i < 500; ++i) {
                    try {
                        if (i % 2 == 0)
                            co_await sleep_for(1h);
                        else
                            co_await with_timeout(1h, never.wait());
                    } catch (const cancelled&) {
                        ++cancelled_waits;
                    }
                }
            };
            group.start(deaf);
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(cancelled_waits == 500);
        CHECK(now() == start + 1ms);
    });
}
