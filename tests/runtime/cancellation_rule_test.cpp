// SPDX-License-Identifier: MIT
//
// The rule of cancellation (runtime/job.hpp): in a cancelled job every await that begins ends with
// cancellation, whatever is awaited and whatever is caught. What would be an endless loop without
// the rule is bounded by a count.
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/this_job.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

constexpr int too_many = 100'000;

task<int> one() {
    co_return 1;
}

/// Awaits what `make` gives in a cancelled job; whether that threw `cancelled`.
template <class Make>
task<bool> is_refused(Make make) {
    bool refused = false;
    auto in_group = [&](task_group& group) -> task<> {
        auto cancels_itself = [&]() -> task<> {
            group.cancel();
            try {
                static_cast<void>(co_await make());
            } catch (const cancelled&) {
                refused = true;
            }
        };
        group.start(cancels_itself);
        co_return;
    };
    co_await with_task_group(in_group);
    co_return refused;
}

/// The same with as_result.
template <class Make>
task<bool> is_refused_as_result(Make make) {
    bool refused = false;
    auto in_group = [&](task_group& group) -> task<> {
        auto cancels_itself = [&]() -> task<> {
            group.cancel();
            const auto ended = co_await as_result(make());
            refused = ended.error() == std::errc::operation_canceled;
        };
        group.start(cancels_itself);
        co_return;
    };
    co_await with_task_group(in_group);
    co_return refused;
}

/// Both ways.
template <class Make>
task<> check_refused(Make make) {
    const bool thrown = co_await is_refused(make);
    CHECK(thrown);
    const bool given = co_await is_refused_as_result(make);
    CHECK(given);
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "cancellation: a loop over tasks that never wait, from outside") {
    run([]() -> task<> {
        int rounds = 0;
        auto body = [&](task_group& group) -> task<> {
            auto spins = [&]() -> task<> {
                for (; rounds < too_many; ++rounds)
                    co_await one();
            };
            group.start(spins);
            co_await yield(); // the others have had one budget then
            co_await yield();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(rounds > 0);
        CHECK(rounds <= 2 * detail::inline_budget_full);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: a loop that catches all and never waits") {
    const collected_warnings warnings;
    run([]() -> task<> {
        int refused = 0;
        int entered = 0;
        auto body = [&](task_group& group) -> task<> {
            auto spins = [&]() -> task<> {
                auto counts = [&]() -> task<> {
                    ++entered;
                    co_return;
                };
                for (int i = 0; i < 5000; ++i) {
                    try {
                        co_await counts();
                    } catch (...) {
                        ++refused;
                    }
                    if (i == 9)
                        group.cancel();
                }
            };
            group.start(spins);
            co_return;
        };
        co_await with_task_group(body);
        CHECK(entered == 10);
        CHECK(refused == 4990);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: nothing that is awaited begins") {
    run([]() -> task<> {
        const time_point start = now();
        event set(true);
        int begun = 0;
        auto begins = [&]() -> task<> {
            ++begun;
            co_return;
        };
        co_await check_refused([] { return one(); });
        co_await check_refused([] { return yield(); });
        co_await check_refused([] { return sleep_for(0ns); });
        co_await check_refused([&] { return set.wait(); });
        co_await check_refused([] { return check_cancelled(); });
        co_await check_refused([&] { return with_timeout(1s, begins()); });
        co_await check_refused([&] { return with_timeout(1s, set.wait()); });
        co_await check_refused([&] { return when_all(begins(), begins()); });
        co_await check_refused([&] { return when_any(begins(), begins()); });
        co_await check_refused(
            [&] { return with_task_group([&](task_group&) { return begins(); }); });
        CHECK(begun == 0);
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: catch (const std::exception&) lets it pass") {
    run([]() -> task<> {
        const time_point start = now();
        int swallowed = 0;
        auto logs_and_goes_on = [&]() -> task<> {
            for (int i = 0; i < too_many; ++i) {
                try {
                    co_await sleep_for(1s);
                } catch (const std::exception&) {
                    ++swallowed;
                }
            }
        };
        const result<void> ended = co_await as_result(with_timeout(10500ms, logs_and_goes_on()));
        CHECK(ended.error() == std::errc::timed_out);
        CHECK(swallowed == 0);
        CHECK(now() == start + 10500ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: others run while a job refuses to end") {
    const collected_warnings warnings;
    run([]() -> task<> {
        int rounds_when_other_ended = 0;
        auto body = [&](task_group& group) -> task<> {
            int rounds = 0;
            auto stubborn = [&]() -> task<> {
                group.cancel();
                for (; rounds < 2000; ++rounds)
                    static_cast<void>(co_await as_result(one()));
            };
            auto other = [&]() -> task<> {
                static_cast<void>(co_await as_result(sleep_for(1h)));
                rounds_when_other_ended = rounds;
            };
            group.start(other);
            group.start(stubborn);
            co_await group.wait_for_others();
        };
        co_await with_task_group(body);
        CHECK(rounds_when_other_ended < 10);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: starting jobs in a cancelled group") {
    run([]() -> task<> {
        int started = 0;
        bool told = false;
        bool goes_on = false;
        auto outer = [&](task_group& producers) -> task<> {
            task_group* consumers = nullptr;
            event over;
            auto produces = [&]() -> task<> {
                co_await sleep_for(1ms);
                try {
                    for (; started < too_many; ++started) {
                        consumers->start(one());
                        co_await one();
                    }
                } catch (const cancelled&) {
                    told = true;
                }
                co_await sleep_for(1ms); // this job itself is not cancelled
                goes_on = true;
                over.set();
            };
            producers.start(produces);
            auto consuming = [&](task_group& group) -> task<> {
                consumers = &group;
                group.cancel();
                co_await shielded(over.wait());
            };
            co_await with_task_group(consuming);
        };
        co_await with_task_group(outer);
        CHECK(started == 0);
        CHECK(told);
        CHECK(goes_on);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: a computation that only checks") {
    run([]() -> task<> {
        const time_point start = now();
        int rounds = 0;
        bool seen = true;
        auto computes = [&]() -> task<> {
            seen = this_job::cancelled();
            for (;;) {
                ++rounds;
                co_await check_cancelled();
            }
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(computes);
            for (int i = 0; i < 3; ++i)
                co_await yield();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(rounds <= 5 * detail::inline_budget_full);
        CHECK_FALSE(seen);
        CHECK(now() == start);
    });
    CHECK_FALSE(this_job::cancelled());
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: why, also asked by the jobs below") {
    run([]() -> task<> {
        std::string reasons;
        auto tells = [&]() -> task<> {
            static_cast<void>(co_await as_result(sleep_for(1h)));
            reasons += to_string(this_job::cancel_reason());
            reasons += ", ";
        };
        auto below = [&]() -> task<> { co_await when_all(tells()); };
        static_cast<void>(co_await as_result(with_timeout(1ms, below())));
        auto fails = []() -> task<> {
            co_await sleep_for(1ms);
            throw std::runtime_error("fails");
        };
        static_cast<void>(co_await failure_of(when_all(below(), fails())));
        static_cast<void>(co_await when_any(below(), sleep_for(1ms)));
        auto body = [&](task_group& group) -> task<> {
            group.start(below);
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(reasons == "deadline, sibling failed, lost race, requested, ");
        CHECK(this_job::cancel_reason() == cancel_reason::none);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: a job that goes on for long is named") {
    const collected_warnings warnings;
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            auto deaf = []() -> task<> {
                for (int i = 0; i < 15'000; ++i) {
                    try {
                        co_await sleep_for(1s);
                    } catch (...) {
                    }
                }
            };
            group.start("deaf", deaf);
            co_await yield();
            group.cancel();
        };
        co_await with_task_group(body);
    });
    const auto all = collected_warnings::all();
    REQUIRE(all.size() == 2);
    CHECK(all[0].starts_with(
        "the job deaf was cancelled (requested) and has awaited 1000 times since, now in "));
    CHECK(all[0].find("cancellation_rule_test.cpp:") != std::string::npos);
    CHECK(all[1].find("10000 times") != std::string::npos);
}

TEST_CASE_FIXTURE(virtual_loop, "cancellation: what escapes from run is a std::system_error") {
    const auto escapes = []() -> task<> {
        throw cancelled();
        co_return;
    };
    try {
        run(escapes);
        FAIL("it was lost");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::operation_canceled);
    }
}
