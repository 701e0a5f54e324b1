// SPDX-License-Identifier: MIT
//
// task_group: whose failure is thrown when, who is cancelled by it, and what is kept alive for
// whom.
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/this_job.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

task<> fails_after(std::chrono::milliseconds delay, const char* words) {
    co_await sleep_for(delay);
    throw std::runtime_error(words);
}

task<> fails_at_once(const char* words) {
    throw std::runtime_error(words);
    co_return;
}

/// Waits for ever, and writes down how that ended.
task<> waits(std::string& ends) {
    const result<void> slept = co_await as_result(sleep_until(time_point::max()));
    ends += slept ? "woken " : "cancelled ";
    slept.value();
}

/// What a cancelled job does that has to fail nevertheless.
task<> fails_when_cancelled(const char* words) {
    static_cast<void>(co_await as_result(sleep_until(time_point::max())));
    throw std::runtime_error(words);
}

/// Cleans up after it has been cancelled, with what it was given.
task<> cleans_up(std::string& borrowed) {
    static_cast<void>(co_await as_result(sleep_until(time_point::max())));
    co_await shielded(sleep_for(2ms));
    borrowed = "cleaned up";
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: it returns the value of its body when all have ended") {
    run([]() -> task<> {
        const time_point start = now();
        int ended = 0;
        auto worker = [&ended](std::chrono::milliseconds delay) -> task<> {
            co_await sleep_for(delay);
            ++ended;
        };
        auto body = [&](task_group& group) -> task<std::unique_ptr<int>> {
            group.start(worker(5ms));
            group.start(worker(2ms));
            co_return std::make_unique<int>(8);
        };
        const std::unique_ptr<int> value = co_await with_task_group(body);
        CHECK(*value == 8);
        CHECK(ended == 2);
        CHECK(now() == start + 5ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: a body that returns a reference, and one of nothing") {
    run([]() -> task<> {
        int object = 0;
        auto body = [&object](task_group&) -> task<int&> { co_return object; };
        int& same = co_await with_task_group(body);
        CHECK(&same == &object);
        co_await with_task_group([](task_group&) -> task<> { co_return; });
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: results of its jobs are dropped and destroyed") {
    int alive = 0;
    run([&alive]() -> task<> {
        auto make = [&alive]() -> task<counted> { co_return counted(alive); };
        auto body = [&](task_group& group) -> task<> {
            group.start(make());
            group.start(make);
            co_await yield();
            co_await yield();
            CHECK(alive == 0); // its job goes with its end, not with the group's
        };
        co_await with_task_group(body);
    });
    CHECK(alive == 0);
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: the first exception cancels the siblings") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            group.start(fails_after(3ms, "first"));
            group.start(waits(ends));
            co_await waits(ends);
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "first");
        CHECK(ends == "cancelled cancelled cancelled ");
        CHECK(now() == start + 3ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: a job that throws before it ever waits") {
    run([]() -> task<> {
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            group.start(fails_at_once("at once"));
            group.start(waits(ends));
            co_await waits(ends);
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "at once");
        CHECK(ends == "cancelled cancelled "); // the body's own wait does not begin any more
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: the body's exception cancels its jobs") {
    run([]() -> task<> {
        std::string ends;
        auto later = [&](task_group& group) -> task<int> {
            group.start(waits(ends));
            co_await sleep_for(1ms);
            throw std::runtime_error("body");
        };
        std::string failure = co_await failure_of(with_task_group(later));
        CHECK(failure == "body");
        CHECK(ends == "cancelled ");

        auto at_once = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            throw std::runtime_error("body at once");
            co_return;
        };
        failure = co_await failure_of(with_task_group(at_once));
        CHECK(failure == "body at once");
        CHECK(ends == "cancelled cancelled ");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: further failures become warnings, not the result") {
    const collected_warnings warnings;
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start(fails_when_cancelled("second"));
            group.start(fails_after(1ms, "first"));
            co_await sleep_until(time_point::max());
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "first");
    });
    REQUIRE(collected_warnings::all().size() == 1);
    const std::string said = collected_warnings::all()[0];
    CHECK(said.starts_with("a second failure, after the one that is thrown, "));
    CHECK(said.find("(task_group_test.cpp:") != std::string::npos);
    CHECK(said.ends_with(": second"));
}

TEST_CASE_FIXTURE(
    virtual_loop,
    "task_group: of many failures one is thrown, one is said, and the others are counted") {
    const collected_warnings warnings;
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start(fails_at_once("a"));
            group.start(fails_at_once("b"));
            group.start(fails_at_once("c"));
            co_return;
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "a");
    });
    REQUIRE(collected_warnings::all().size() == 2);
    CHECK(collected_warnings::all()[0].ends_with(": b"));
    CHECK(collected_warnings::all()[1] == "a second failure, after the one that is thrown: 1 more");
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: fifty jobs that fail as they are cancelled") {
    const collected_warnings warnings;
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            for (int i = 0; i < 50; ++i)
                group.start(fails_when_cancelled("reset"));
            group.start(fails_after(1ms, "first"));
            co_return;
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "first");
    });
    REQUIRE(collected_warnings::all().size() == 2);
    CHECK(collected_warnings::all()[0].ends_with(": reset"));
    CHECK(collected_warnings::all()[1] ==
          "a second failure, after the one that is thrown: 49 more");
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: cancelling it is no failure") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            group.start(waits(ends));
            co_await sleep_for(2ms);
            group.cancel();
            group.cancel(); // again changes nothing
        };
        co_await with_task_group(body);
        CHECK(ends == "cancelled cancelled ");
        CHECK(now() == start + 2ms);

        auto with_value = [&](task_group& group) -> task<int> {
            group.start(waits(ends));
            co_await yield();
            group.cancel();
            co_return 4; // the body has nothing left to wait for
        };
        const int value = co_await with_task_group(with_value);
        CHECK(value == 4);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: a job cancels its group, and the body with it") {
    run([]() -> task<> {
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            auto canceller = [&group]() -> task<> {
                co_await sleep_for(1ms);
                group.cancel();
            };
            group.start(canceller);
            co_await waits(ends);
        };
        co_await with_task_group(body);
        CHECK(ends == "cancelled ");

        // A body that owes a value has none to give then. The job that waits for the group is not
        // cancelled, so that this is an error like any other.
        auto with_value = [&](task_group& group) -> task<int> {
            auto canceller = [&group]() -> task<> {
                group.cancel();
                co_return;
            };
            group.start(canceller);
            co_await waits(ends);
            co_return 1;
        };
        const result<int> value = co_await as_result(with_task_group(with_value));
        CHECK(value.error() == std::errc::operation_canceled);
        CHECK_THROWS_AS(static_cast<void>(value.value()), std::system_error);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: a failure is thrown although the group was cancelled") {
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start(fails_when_cancelled("worse"));
            co_await yield();
            group.cancel();
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "worse");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: a job that is started in a cancelled group") {
    run([]() -> task<> {
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            group.cancel();
            group.start(waits(ends));
            co_return;
        };
        co_await with_task_group(body);
        CHECK(ends == "cancelled ");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: the parent's cancellation reaches body and jobs") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto inner = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            co_await waits(ends);
        };
        auto outer = [&](task_group& group) -> task<> {
            auto below = [&]() -> task<> {
                const std::string failure = co_await failure_of(with_task_group(inner));
                ends += failure;
            };
            group.start(below);
            co_await sleep_for(1ms);
            group.cancel();
            co_await shielded(sleep_for(1ms)); // `below` lives in this frame
        };
        co_await with_task_group(outer);
        CHECK(ends == "cancelled cancelled cancelled");
        CHECK(now() == start + 2ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: it ends well if its cancelled jobs had ended well") {
    run([]() -> task<> {
        bool finished = false;
        auto outer = [&](task_group& group) -> task<> {
            auto inner = [&]() -> task<> {
                auto body = [](task_group& jobs) -> task<int> {
                    auto stubborn = []() -> task<> {
                        static_cast<void>(co_await as_result(sleep_for(1h)));
                    };
                    jobs.start(stubborn);
                    co_return 6;
                };
                const int value = co_await with_task_group(body);
                CHECK(value == 6);
                finished = true;
            };
            group.start(inner);
            co_await sleep_for(1ms);
            group.cancel();
            co_await shielded(sleep_for(1ms));
        };
        co_await with_task_group(outer);
        CHECK(finished);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: start keeps a lambda's captures until its job ends") {
    int alive = 0;
    run([&alive]() -> task<> {
        std::string seen;
        auto body = [&](task_group& group) -> task<> {
            group.start([&seen, text = std::string(100, 'x'), kept = counted(alive)]() -> task<> {
                co_await sleep_for(1ms);
                seen = text;
            });
            CHECK(alive == 1);
            co_await sleep_for(5ms);
            CHECK(alive == 0);
        };
        co_await with_task_group(body);
        CHECK(seen == std::string(100, 'x'));
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: start keeps arguments that are taken by reference") {
    run([]() -> task<> {
        std::string seen;
        int changed = 0;
        auto body = [&](task_group& group) -> task<> {
            auto reads = [&seen](const std::string& text, std::unique_ptr<int>&& number,
                                 int& counter) -> task<> {
                co_await sleep_for(std::chrono::milliseconds(*number));
                seen += text;
                seen += std::to_string(*number);
                ++counter;
            };
            std::string gone(100, 'y');
            group.start(reads, gone, std::make_unique<int>(1), std::ref(changed));
            group.start(reads, std::string(100, 'z'), std::make_unique<int>(2), std::ref(changed));
            gone = "overwritten";
            co_return;
        };
        co_await with_task_group(body);
        CHECK(seen == std::string(100, 'y') + "1" + std::string(100, 'z') + "2");
        CHECK(changed == 2);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: start of a member function and of a move-only functor") {
    struct worker {
        task<> add(int amount) {
            co_await sleep_for(1ms);
            sum += amount;
        }

        int sum = 0;
    };

    run([]() -> task<> {
        worker counter;
        auto body = [&](task_group& group) -> task<> {
            group.start(&worker::add, &counter, 3);
            group.start([owned = std::make_unique<int>(4), &counter]() -> task<> {
                co_await sleep_for(2ms);
                counter.sum += *owned;
            });
            co_return;
        };
        co_await with_task_group(body);
        CHECK(counter.sum == 7);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: start whose callable throws starts nothing") {
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            auto broken = [](bool fails) -> task<> {
                if (fails)
                    throw std::runtime_error("no task at all");
                return fails_at_once("never started");
            };
            group.start(broken, true);
            co_return;
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "no task at all");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: jobs start jobs, until the last has ended") {
    run([]() -> task<> {
        const time_point start = now();
        int ended = 0;
        struct spawner {
            static task<> grow(task_group& group, int& ended, int depth) {
                if (depth > 0) {
                    group.start(grow(group, ended, depth - 1));
                    group.start(grow(group, ended, depth - 1));
                }
                co_await sleep_for(1ms);
                ++ended;
            }
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(spawner::grow(group, ended, 6));
            co_return;
        };
        co_await with_task_group(body);
        CHECK(ended == 127);
        CHECK(now() == start + 1ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: nested groups fail from the inside out") {
    run([]() -> task<> {
        std::string ends;
        auto inner = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            co_await fails_after(1ms, "inner");
        };
        auto outer = [&](task_group& group) -> task<> {
            group.start(waits(ends));
            group.start(with_task_group(inner));
            co_await waits(ends);
        };
        const std::string failure = co_await failure_of(with_task_group(outer));
        CHECK(failure == "inner");
        CHECK(ends == "cancelled cancelled cancelled ");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: a hundred groups, each in the one before") {
    run([]() -> task<> {
        std::string ends;
        struct nest {
            static task<> groups(std::string& ends, int depth) {
                auto body = [&ends, depth](task_group& group) -> task<> {
                    if (depth == 0)
                        co_await fails_after(1ms, "innermost");
                    group.start(groups(ends, depth - 1));
                    co_await waits(ends);
                };
                co_await with_task_group(body);
            }
        };
        const std::string failure = co_await failure_of(nest::groups(ends, 100));
        CHECK(failure == "innermost");
        CHECK(ends.size() == 100 * std::string("cancelled ").size());
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: ten thousand jobs") {
    run([]() -> task<> {
        const auto before = usage().live_frames;
        int ended = 0;
        auto body = [&](task_group& group) -> task<> {
            auto worker = [&ended](int i) -> task<> {
                co_await sleep_for(std::chrono::microseconds(i % 100));
                ++ended;
            };
            for (int i = 0; i < 10'000; ++i)
                group.start(worker, i);
            co_await sleep_for(1ms);
            CHECK(ended == 10'000);
        };
        co_await with_task_group(body);
        CHECK(usage().live_frames == before);

        std::string ends;
        auto cancelled_body = [&](task_group& group) -> task<> {
            for (int i = 0; i < 10'000; ++i)
                group.start(waits(ends));
            co_await sleep_for(1ms);
            group.cancel();
        };
        co_await with_task_group(cancelled_body);
        CHECK(ends.size() == 10'000 * std::string("cancelled ").size());
    });
}

namespace {

template <class Function>
concept can_be_started = requires(task_group& group, Function function) { group.start(function); };

using returns_task = task<int> (*)();
using returns_operation = sleep_operation (*)();
using returns_nothing = void (*)();

static_assert(can_be_started<returns_task>);
static_assert(!can_be_started<returns_operation>);
static_assert(!can_be_started<returns_nothing>);

template <class Function>
concept can_be_a_body = requires(Function function) { with_task_group(function); };

static_assert(can_be_a_body<task<int> (*)(task_group&)>);
static_assert(!can_be_a_body<void (*)(task_group&)>);
static_assert(!can_be_a_body<task<> (*)()>);

} // namespace

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: a job started between its last job's end and its own") {
    run([]() -> task<> {
        int late_starts = 0;
        int late_ends = 0;
        auto nothing = []() -> task<> { co_return; };
        auto late = [&late_ends]() -> task<> {
            co_await sleep_for(1ms);
            ++late_ends;
        };
        // Whoever waits for the group gets its turn at once, unless the body has used up the budget
        // of steps without one: some number of steps does that exactly. Each `nothing` takes two
        // steps, so that the odd one before them decides that it is the end of the body that spends
        // the last one, and not that of the group, after which nothing may be started.
        for (int steps = 0; steps < 2 * detail::inline_budget_full; ++steps) {
            task_group* open = nullptr;
            bool body_ended = false;
            auto body = [&](task_group& group) -> task<> {
                open = &group;
                co_await yield(); // a full budget
                co_await check_cancelled();
                for (int i = 0; i < steps; ++i)
                    co_await nothing();
                body_ended = true;
            };
            auto inside = [&]() -> task<> {
                co_await with_task_group(body);
                open = nullptr;
            };
            auto outside = [&]() -> task<> {
                while (!body_ended)
                    co_await yield();
                if (open) {
                    open->start(nothing); // its end wakes nobody a second time
                    open->start(late);
                    ++late_starts;
                }
            };
            co_await when_all(inside(), outside());
        }
        CHECK(late_starts > 0);
        CHECK(late_ends == late_starts);
    });
}

TEST_CASE("task_group: it is neither copied nor moved, so a body has to take it by reference") {
    CHECK_FALSE(std::is_copy_constructible_v<task_group>);
    CHECK_FALSE(std::is_move_constructible_v<task_group>);
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: the body can wait for the others, and keep what they use") {
    run([]() -> task<> {
        const time_point start = now();
        int ended = 0;
        auto child = [](std::string& text, int& count) -> task<> {
            co_await sleep_for(3ms);
            text += "x";
            ++count;
        };
        auto body = [&](task_group& group) -> task<> {
            co_await group.wait_for_others(); // there are none yet
            std::string local;
            group.start(child(local, ended));
            group.start(child(local, ended));
            co_await group.wait_for_others();
            CHECK(ended == 2);
            CHECK(local == "xx");
            group.start(child(local, ended));
            co_await group.wait_for_others();
            CHECK(local == "xxx");
        };
        co_await with_task_group(body);
        CHECK(ended == 3);
        CHECK(now() == start + 6ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: when one fails, waiting for the others still ends after them") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto body = [&](task_group& group) -> task<> {
            std::string local;
            group.start(fails_after(1ms, "one of them"));
            group.start(cleans_up(local));
            const result<void> waited = co_await as_result(group.wait_for_others());
            CHECK(waited.error() == std::errc::operation_canceled);
            ends = local;
        };
        const std::string words = co_await failure_of(with_task_group(body));
        CHECK(words == "one of them");
        CHECK(ends == "cleaned up");
        CHECK(now() == start + 3ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: a limit to waiting for the others cancels and awaits them") {
    run([]() -> task<> {
        const time_point start = now();
        auto body = [&](task_group& group) -> task<int> {
            std::string local;
            group.start(cleans_up(local));
            const result<void> waited =
                co_await as_result(with_timeout(5ms, group.wait_for_others()));
            CHECK(waited.error() == std::errc::timed_out);
            CHECK(local == "cleaned up");
            co_return 3;
        };
        const int value = co_await with_task_group(body);
        CHECK(value == 3);
        CHECK(now() == start + 7ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: a job that waits for the others is told not to") {
    run([]() -> task<> {
        int refused = 0;
        auto body = [&](task_group& group) -> task<> {
            auto waits_for_itself = [&]() -> task<> {
                const result<void> own = co_await as_result(group.wait_for_others());
                CHECK(own.error() == std::errc::resource_deadlock_would_occur);
                const result<void> below =
                    co_await as_result(with_timeout(1h, group.wait_for_others()));
                CHECK(below.error() == std::errc::resource_deadlock_would_occur);
                ++refused;
            };
            group.start(waits_for_itself);
            co_await when_all(group.wait_for_others(), group.wait_for_others());
            CHECK(refused == 1);
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: a body that throws before it is a task cancels the jobs") {
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start([]() -> task<> { co_await sleep_for(1h); });
            throw std::runtime_error("no coroutine");
        };
        const time_point start = now();
        const std::string words = co_await failure_of(with_task_group(body));
        CHECK(words == "no coroutine");
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: only starting, waiting and cancelling can be reached") {
    CHECK_FALSE(std::is_convertible_v<task_group*, awaiter*>);
}
