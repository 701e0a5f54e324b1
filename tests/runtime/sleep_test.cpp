// SPDX-License-Identifier: MIT
//
// Sleeping and giving way, on a loop whose time is virtual: every time is asserted exactly.
#include "virtual_loop.hpp"

#include <algorithm>
#include <chrono>
#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(virtual_loop, "sleep: it ends at its deadline exactly") {
    run([]() -> task<> {
        const time_point start = now();
        co_await sleep_for(4ms);
        CHECK(now() == start + 4ms);
        co_await sleep_until(start + 7ms);
        CHECK(now() == start + 7ms);
        co_await sleep_for(1ns);
        CHECK(now() == start + 7ms + 1ns);
        co_await sleep_for(24h * 365);
        CHECK(now() == start + 7ms + 1ns + 24h * 365);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "sleep: sleepers wake in the order of their deadlines") {
    run([]() -> task<> {
        std::string order;
        const time_point start = now();
        auto sleeper = [&order](char name, std::chrono::nanoseconds delay) -> task<> {
            const time_point begin = now();
            co_await sleep_for(delay);
            CHECK(now() == begin + delay);
            order += name;
        };
        co_await when_all(sleeper('c', 3s), sleeper('a', 1ns), sleeper('d', 3h), sleeper('b', 2ms));
        CHECK(order == "abcd");
        CHECK(now() == start + 3h);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "sleep: zero, negative and past take no time but give way") {
    run([]() -> task<> {
        const time_point start = now();
        bool other_ran = false;
        auto other = [&other_ran]() -> task<> {
            other_ran = true;
            co_return;
        };
        auto brief = [&other_ran]() -> task<> {
            co_await sleep_for(0ns);
            CHECK(other_ran);
            co_await sleep_for(-5s);
            co_await sleep_for(std::chrono::nanoseconds::min());
            co_await sleep_until(now() - 1h);
            co_await sleep_until(time_point());
            co_await sleep_until(time_point::min());
        };
        co_await when_all(brief(), other());
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "sleep: a delay beyond the clock is for ever, not the past") {
    run([]() -> task<> {
        const time_point start = now();
        auto forever = []() -> task<> { co_await sleep_for(std::chrono::nanoseconds::max()); };
        auto hours = []() -> task<> { co_await sleep_for(std::chrono::hours::max()); };
        auto never = []() -> task<> { co_await sleep_until(time_point::max()); };
        auto brief = []() -> task<> { co_await sleep_for(1s); };
        const auto first = co_await when_any(forever(), hours(), never(), brief());
        CHECK(first.index() == 3);
        CHECK(now() == start + 1s);
        co_await sleep_for(std::chrono::hours::min());
        CHECK(now() == start + 1s);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "sleep: durations of any unit are taken") {
    run([]() -> task<> {
        const time_point start = now();
        co_await sleep_for(std::chrono::duration<double>(0.25));
        CHECK(now() == start + 250ms);
        co_await sleep_for(std::chrono::days(2));
        CHECK(now() == start + 250ms + 48h);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "sleep: cancelled before, at and after its deadline") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            auto sleeper = [&]() -> task<> {
                const result<void> slept = co_await as_result(sleep_until(start + 2ms));
                ends += slept ? "slept " : "cancelled ";
                const result<void> next = co_await as_result(sleep_for(1ms));
                ends += next ? "slept" : "cancelled";
            };
            group.start(sleeper);
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(ends == "cancelled cancelled");
        CHECK(now() == start + 1ms);
    });
    run([]() -> task<> {
        // At the deadline both are woken, in whichever order, and the sleep is over.
        const time_point start = now();
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            auto sleeper = [&]() -> task<> {
                const result<void> slept = co_await as_result(sleep_until(start + 2ms));
                ends += slept ? "slept " : "cancelled ";
                const result<void> next = co_await as_result(sleep_for(1ms));
                ends += next ? "slept" : "cancelled";
            };
            group.start(sleeper);
            const result<void> slept = co_await as_result(sleep_until(start + 2ms));
            CHECK(slept);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(ends == "slept cancelled");
        CHECK(now() == start + 2ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "sleep: a hundred thousand sleepers, all exact") {
    run([]() -> task<> {
        const time_point start = now();
        int late = 0;
        auto sleeper = [&late](std::chrono::nanoseconds delay) -> task<> {
            const time_point begin = now();
            co_await sleep_for(delay);
            late += now() != begin + delay;
        };
        auto body = [&](task_group& group) -> task<> {
            for (int i = 0; i < 100'000; ++i)
                group.start(sleeper(std::chrono::microseconds((i * 7919) % 100'000)));
            co_return;
        };
        co_await with_task_group(body);
        CHECK(late == 0);
        CHECK(now() == start + 99'999us);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "yield: everybody who is ready runs first, in turn") {
    run([]() -> task<> {
        std::string order;
        auto worker = [&order](char name) -> task<> {
            for (int i = 0; i < 3; ++i) {
                order += name;
                co_await yield();
            }
        };
        co_await when_all(worker('a'), worker('b'), worker('c'));
        CHECK(order == "abcabcabc");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "yield: it throws once its job is cancelled") {
    run([]() -> task<> {
        int iterations = 0;
        auto body = [&](task_group& group) -> task<> {
            auto worker = [&iterations]() -> task<> {
                for (;;) {
                    co_await yield();
                    ++iterations;
                }
            };
            group.start(worker);
            // The clock stands still while somebody is ready, so this waits in iterations.
            co_await yield();
            co_await yield();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(iterations > 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "loop: timers expire while a job yields without end") {
    run([]() -> task<> {
        const time_point start = now();
        auto busy = []() -> task<> {
            for (;;)
                co_await yield();
        };
        auto nap = []() -> task<> { co_await sleep_until(now()); };
        const auto first = co_await when_any(busy(), nap());
        CHECK(first.index() == 1);
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "loop: a job that only awaits tasks that end at once gives way") {
    run([]() -> task<> {
        bool stop = false;
        int steps = 0;
        auto leaf_task = []() -> task<> { co_return; };
        auto busy = [&]() -> task<> {
            while (!stop) {
                co_await leaf_task();
                ++steps;
            }
        };
        auto other = [&]() -> task<> {
            stop = true;
            co_return;
        };
        co_await when_all(busy(), other());
        CHECK(steps > 0);
        CHECK(steps <= detail::inline_budget_full);
    });
}

// Strict compilers warn where a container destroys a class with virtual functions that is not
// final; with -Werror, this is a test as soon as it compiles.
TEST_CASE_FIXTURE(virtual_loop,
                  "sleep: operations may be kept in a container until they are awaited") {
    run([]() -> task<> {
        const time_point start = now();
        event set(true);
        std::vector<event::wait_operation> waits;
        waits.push_back(set.wait());
        std::vector<sleep_operation> sleeps;
        for (int i = 1; i <= 100; ++i)
            sleeps.push_back(sleep_for(std::chrono::milliseconds(i)));
        co_await when_all(when_all(std::move(waits)), when_all(std::move(sleeps)));
        CHECK(now() == start + 100ms);
    });
}
