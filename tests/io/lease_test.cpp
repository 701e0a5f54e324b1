// SPDX-License-Identifier: MIT
//
// Waiting for a buffer of a buffer_pool: in order, cancellable, and nothing is lost.
#include "child_process.hpp"
#include "virtual_loop.hpp"

#include <coracle/io/lease.hpp>
#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(virtual_loop, "lease: who finds a free buffer does not wait") {
    run([]() -> task<> {
        buffer_pool pool(2, 64);
        const time_point start = now();
        const buffer_lease first = co_await pool.lease();
        const buffer_lease second = co_await pool.lease();
        CHECK(pool.leased() == 2);
        CHECK(first.data() != second.data());
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "lease: those who wait are served in order") {
    run([]() -> task<> {
        buffer_pool pool(1, 64);
        std::string order;
        const time_point start = now();
        auto user = [&](char name) -> task<> {
            const buffer_lease lease = co_await pool.lease();
            order += name;
            co_await sleep_for(1ms);
        };
        co_await when_all(user('a'), user('b'), user('c'), user('d'));
        CHECK(order == "abcd");
        CHECK(now() == start + 4ms);
        CHECK(pool.leased() == 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "lease: a wait can be cancelled, and the next one is served") {
    run([]() -> task<> {
        buffer_pool pool(1, 64);
        std::string order;
        auto impatient = [&]() -> task<> {
            const result<buffer_lease> lease = co_await as_result(with_timeout(1ms, pool.lease()));
            CHECK(lease.error() == std::errc::timed_out);
            order += 'i';
        };
        auto patient = [&]() -> task<> {
            const buffer_lease lease = co_await pool.lease();
            order += 'p';
        };
        auto leak_source = [&]() -> task<> {
            buffer_lease lease = co_await pool.lease();
            co_await sleep_for(2ms);
            CHECK(order == "i");
        };
        co_await when_all(leak_source(), impatient(), patient());
        CHECK(order == "ip");
        CHECK(pool.leased() == 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "lease: a job that is cancelled already is given none") {
    run([]() -> task<> {
        buffer_pool pool(1, 64);
        auto body = [&](task_group& group) -> task<> {
            group.cancel();
            const result<buffer_lease> lease = co_await as_result(pool.lease());
            CHECK(lease.error() == std::errc::operation_canceled);
        };
        co_await with_task_group(body);
        CHECK(pool.leased() == 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "lease: a buffer that came just before the cancelling is kept") {
    run([]() -> task<> {
        buffer_pool pool(1, 64);
        buffer_lease held = co_await pool.lease();
        bool given = false;
        auto waiter = [&]() -> task<> {
            const buffer_lease lease = co_await pool.lease();
            given = true;
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(waiter());
            co_await yield();
            held.reset(); // it is the waiter's from now on, which has not been resumed yet
            CHECK(pool.leased() == 1);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(given);
        CHECK(pool.leased() == 0);
    });
}

TEST_CASE("lease: a pool that goes while a job waits for it stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_clock clock;
        loop here(clock);
        here.run([]() -> task<> {
            auto pool = std::make_unique<buffer_pool>(1, 64);
            buffer_lease held = pool->try_lease();
            auto waiter = [&]() -> task<> { const buffer_lease lease = co_await pool->lease(); };
            auto body = [&](task_group& group) -> task<> {
                group.start(waiter());
                co_await yield();
                pool.reset();
            };
            co_await with_task_group(body);
        }());
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a buffer_pool was destroyed while somebody waits for a buffer of it"));
}
