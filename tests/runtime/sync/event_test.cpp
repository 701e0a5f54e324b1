// SPDX-License-Identifier: MIT
//
// event: waiting for a flag, and what a wait that need not wait costs the others.
#include "child_process.hpp"
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(virtual_loop, "event: setting it wakes all who wait, in the order they came") {
    run([]() -> task<> {
        event ready;
        std::string order;
        const time_point start = now();
        auto waiter = [&](char name) -> task<> {
            co_await ready.wait();
            CHECK(now() == start + 1ms);
            order += name;
        };
        auto setter = [&]() -> task<> {
            co_await sleep_for(1ms);
            CHECK(order.empty());
            ready.set();
            CHECK(order.empty()); // nobody runs before the setter gives way
        };
        co_await when_all(waiter('a'), waiter('b'), waiter('c'), setter());
        CHECK(order == "abc");
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "event: while it is set nobody waits; reset makes them wait again") {
    run([]() -> task<> {
        event flag(true);
        const time_point start = now();
        CHECK(flag.is_set());
        co_await flag.wait();
        flag.set();
        co_await flag.wait();
        CHECK(now() == start);
        flag.reset();
        CHECK_FALSE(flag.is_set());
        auto waiter = [&]() -> task<> { co_await flag.wait(); };
        auto setter = [&]() -> task<> {
            co_await sleep_for(3ms);
            flag.set();
            flag.reset(); // those who have been woken go on
        };
        co_await when_all(waiter(), setter());
        CHECK(now() == start + 3ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "event: one of several waiters can be cancelled") {
    run([]() -> task<> {
        event flag;
        std::string order;
        auto waiter = [&](char name) -> task<> {
            const result<void> waited = co_await as_result(flag.wait());
            order += waited ? name : '-';
        };
        auto brief = [&](std::chrono::milliseconds limit) -> task<> { co_await sleep_for(limit); };
        auto setter = [&]() -> task<> {
            co_await sleep_for(9ms);
            flag.set();
        };
        // The middle one, the first and the last of the list go before the event is set.
        auto given_up = [&](char name, std::chrono::milliseconds limit) -> task<> {
            static_cast<void>(co_await when_any(waiter(name), brief(limit)));
        };
        co_await when_all(given_up('a', 2ms), waiter('b'), given_up('c', 1ms), waiter('d'),
                          given_up('e', 3ms), setter());
        CHECK(order == "---bd");
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "event: a wait that was over before its job was cancelled is over") {
    run([]() -> task<> {
        event flag;
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            auto waiter = [&]() -> task<> {
                const result<void> waited = co_await as_result(flag.wait());
                ends += waited ? "set " : "cancelled ";
                const result<void> again = co_await as_result(flag.wait());
                ends += again ? "set" : "cancelled"; // although it is set
            };
            group.start(waiter);
            co_await yield();
            flag.set();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(ends == "set cancelled");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "event: waiting for one that is set does not starve the others") {
    run([]() -> task<> {
        event flag(true);
        bool stop = false;
        int waits = 0;
        auto busy = [&]() -> task<> {
            while (!stop) {
                co_await flag.wait();
                ++waits;
                if (waits > 1'000'000)
                    throw std::runtime_error("the other job starved");
            }
        };
        auto other = [&]() -> task<> {
            stop = true;
            co_return;
        };
        co_await when_all(busy(), other());
        CHECK(waits >= 1);
        CHECK(waits <= detail::inline_budget_full);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "cancel: a loop that swallows the error does not starve the others") {
    run([]() -> task<> {
        event never;
        bool stop = false;
        int waits = 0;
        auto body = [&](task_group& group) -> task<> {
            auto deaf = [&]() -> task<> {
                while (!stop) {
                    static_cast<void>(co_await as_result(never.wait()));
                    static_cast<void>(co_await as_result(sleep_for(1h)));
                    if (++waits > 1'000'000)
                        throw std::runtime_error("the other job starved");
                }
            };
            auto other = [&]() -> task<> {
                stop = true;
                co_return;
            };
            group.cancel();
            group.start(deaf);
            group.start(other);
            co_return;
        };
        co_await with_task_group(body);
        CHECK(waits >= 1);
    });
}

TEST_CASE("event: destroyed while a job waits for it, it stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            auto flag = std::make_unique<event>();
            auto waiter = [&]() -> task<> { co_await flag->wait(); };
            auto breaker = [&]() -> task<> {
                flag.reset();
                co_return;
            };
            co_await when_all(waiter(), breaker());
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("coracle: fatal: an event was destroyed while jobs wait for it"));
}
