// SPDX-License-Identifier: MIT
//
// A task on its own: when it runs, what it gives, and when its frame goes.
#include "child_process.hpp"
#include "lone_job.hpp"
#include "virtual_loop.hpp"

#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

task<int> identity(int value) {
    co_return value;
}

/// Not inlined, since a compiler that sees a frame's whole life may not allocate it at all.
[[gnu::noinline]] task<> holds(counted) {
    co_return;
}

task<int> count_down(int steps) {
    if (steps == 0)
        co_return 0;
    const int below = co_await count_down(steps - 1);
    co_return below + 1;
}

task<int> throw_below(int steps) {
    if (steps == 0)
        throw std::runtime_error("from far below");
    const int below = co_await throw_below(steps - 1);
    co_return below + 1;
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "task: nothing runs until it is awaited") {
    run([]() -> task<> {
        bool ran = false;
        auto body = [&ran]() -> task<> {
            ran = true;
            co_return;
        };
        task<> lazy = body();
        co_await sleep_for(1ms);
        CHECK_FALSE(ran);
        co_await std::move(lazy);
        CHECK(ran);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: destroyed unstarted, it frees its frame and its arguments") {
    int alive = 0;
    {
        const auto before = usage().live_frames;
        task<> unstarted = holds(counted(alive));
        CHECK(usage().live_frames == before + 1);
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}

TEST_CASE_FIXTURE(virtual_loop, "task: assignment frees the frame that it replaces") {
    run([]() -> task<> {
        task<int> kept = identity(1);
        kept = identity(2);
        const int value = co_await std::move(kept);
        CHECK(value == 2);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: run gives the result of main") {
    CHECK(run([] { return identity(7); }) == 7);
    run([]() -> task<> { co_return; });
    auto failing = []() -> task<int> {
        throw std::runtime_error("main failed");
        co_return 0;
    };
    CHECK_THROWS_WITH_AS(run(failing), "main failed", std::runtime_error);
}

TEST_CASE_FIXTURE(virtual_loop, "task: values, move-only values, references and void come back") {
    run([]() -> task<> {
        auto text = []() -> task<std::string> {
            co_return "a string that is not a short one at all";
        };
        auto owner = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
        int object = 0;
        auto reference = [&object]() -> task<int&> { co_return object; };
        auto nothing = [&object]() -> task<> {
            object = 3;
            co_return;
        };

        const std::string words = co_await text();
        CHECK(words == "a string that is not a short one at all");
        const std::unique_ptr<int> owned = co_await owner();
        CHECK(*owned == 5);
        int& same = co_await reference();
        CHECK(&same == &object);
        co_await nothing();
        CHECK(object == 3);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: move-only arguments are moved into it") {
    run([]() -> task<> {
        auto unwrap = [](std::unique_ptr<int> owned) -> task<int> {
            co_await sleep_for(1ms);
            co_return *owned;
        };
        const int value = co_await unwrap(std::make_unique<int>(9));
        CHECK(value == 9);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: a value is destroyed as often as it is made") {
    int alive = 0;
    run([&alive]() -> task<> {
        auto make = [&alive]() -> task<counted> {
            co_await sleep_for(1ms);
            co_return counted(alive);
        };
        {
            const counted kept = co_await make();
            CHECK(alive == 1);
        }
        CHECK(alive == 0);
        static_cast<void>(co_await make());
        CHECK(alive == 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: its frame goes when it has been awaited") {
    run([]() -> task<> {
        const auto before = usage().live_frames;
        const int value = co_await count_down(3);
        CHECK(value == 3);
        CHECK(usage().live_frames == before);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: an exception reaches who awaits, before and after a wait") {
    run([]() -> task<> {
        auto at_once = []() -> task<> {
            throw std::runtime_error("at once");
            co_return;
        };
        auto later = []() -> task<int> {
            co_await sleep_for(1ms);
            throw std::runtime_error("later");
        };
        auto through = [&later]() -> task<int> { co_return co_await later(); };
        const std::string first = co_await failure_of(at_once());
        CHECK(first == "at once");
        const std::string second = co_await failure_of(through());
        CHECK(second == "later");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: an exception unwinds the frames that it passes") {
    int alive = 0;
    run([&alive]() -> task<> {
        auto failing = [&alive]() -> task<> {
            const counted local(alive);
            co_await sleep_for(1ms);
            throw std::runtime_error("unwinds");
        };
        auto above = [&alive, &failing]() -> task<> {
            const counted local(alive);
            co_await failing();
        };
        const std::string failure = co_await failure_of(above());
        CHECK(failure == "unwinds");
        CHECK(alive == 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: a million in a loop neither suspend nor use up the stack") {
    run([]() -> task<> {
        const time_point start = now();
        long sum = 0;
        for (int i = 0; i < 1'000'000; ++i)
            sum += co_await identity(1);
        CHECK(sum == 1'000'000);
        CHECK(now() == start);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "task: a million deep") {
    CHECK(run([] { return count_down(1'000'000); }) == 1'000'000);
}

// A tenth of the million: each level throws anew, which costs microseconds under a sanitizer.
TEST_CASE_FIXTURE(virtual_loop, "task: an exception from a hundred thousand deep") {
    CHECK_THROWS_WITH_AS(run([] { return throw_below(100'000); }), "from far below",
                         std::runtime_error);
}

TEST_CASE_FIXTURE(virtual_loop, "job: where() tells the await at which it is suspended") {
    run([]() -> task<> {
        lone_job other;
        unsigned line = 0;
        auto body = [&line]() -> task<> {
            line = __LINE__ + 1;
            co_await sleep_for(1ms);
        };
        task<> waiting = body();
        waiting.start(other);
        co_await yield();
        REQUIRE(other.pending() != nullptr);
        CHECK(std::string_view(other.pending()->kind()) == "sleep");
        CHECK(other.where().line() == line);
        CHECK(std::string_view(other.where().file_name()).ends_with("task_test.cpp"));
        co_await sleep_for(2ms);
        CHECK(other.pending() == nullptr);
        CHECK(other.ended());
    });
}

TEST_CASE("task: a frame destroyed while it waits stops the program with kind and place") {
    constexpr unsigned line = __LINE__ + 5; // of the sleep
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            lone_job other;
            auto abandoned_body = []() -> task<> { co_await sleep_for(1ms); };
            {
                task<> waiting = abandoned_body();
                waiting.start(other);
                co_await yield();
            }
            co_await sleep_for(2ms); // by now it would have been resumed
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("coracle: fatal: a frame was destroyed or moved while it waits on a sleep"));
    CHECK(outcome.said("operator()"));
    CHECK(outcome.said("task_test.cpp:" + std::to_string(line) + ")"));
}

TEST_CASE("task: awaited or started twice it stops the program with a message") {
    const auto await_twice = []() -> task<> {
        task<int> once = identity(1);
        static_cast<void>(co_await std::move(once));
        static_cast<void>(co_await std::move(once));
    };
    const auto await_moved_from = []() -> task<> {
        task<int> from = identity(1);
        const task<int> to = std::move(from);
        static_cast<void>(co_await std::move(from));
    };
    const auto start_twice = []() -> task<> {
        auto body = [](task_group& group) -> task<> {
            task<int> once = identity(1);
            group.start(std::move(once));
            group.start(std::move(once));
            co_return;
        };
        co_await with_task_group(body);
    };
    const auto check = [](auto misuse) {
        const child_outcome outcome = in_child_process([misuse] {
            virtual_loop fixture;
            fixture.run(misuse);
        });
        CHECK(outcome.aborted);
        CHECK(outcome.said("coracle: fatal: a task was awaited or started twice, or after it was "
                           "moved from"));
    };
    check(await_twice);
    check(await_moved_from);
    check(start_twice);
}

TEST_CASE("loop: a driver that throws ends the program with what main waits for") {
    class broken_driver final : public driver {
    public:
        [[nodiscard]] time_point now() noexcept override { return time_point(1h); }

        void poll(time_point) override { throw std::runtime_error("broken"); }

        void wake() noexcept override {}
    };

    const child_outcome outcome = in_child_process([] {
        broken_driver broken;
        loop runs(broken);
        auto main = []() -> task<> { co_await sleep_for(1ms); };
        runs.run(main());
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("coracle: fatal: a frame was destroyed or moved while it waits on a sleep"));
}

namespace {

task<int> forgotten() {
    co_return 1;
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "task: made and never awaited, it is named when it goes") {
    const collected_warnings warnings;
    run([]() -> task<> {
        {
            const task<int> dropped = forgotten();
        }
        const int value = co_await forgotten();
        CHECK(value == 1);
    });
    const auto all = collected_warnings::all();
    REQUIRE(all.size() == 1);
    CHECK(all[0].starts_with("a task was made and never awaited: "));
    CHECK(all[0].find("forgotten()") != std::string::npos);
    CHECK(all[0].find("(task_test.cpp:") != std::string::npos);
}

TEST_CASE_FIXTURE(
    virtual_loop,
    "task: not awaited because of an exception or a cancellation, it goes in silence") {
    const collected_warnings warnings;
    run([]() -> task<> {
        auto throws = []() -> task<> {
            const task<int> dropped = forgotten();
            throw std::runtime_error("before it is awaited");
            co_return;
        };
        const std::string failure = co_await failure_of(throws());
        CHECK(failure == "before it is awaited");
        auto body = [](task_group& group) -> task<> {
            group.cancel();
            const task<int> dropped = forgotten();
            static_cast<void>(co_await as_result(forgotten()));
            static_cast<void>(co_await as_result(when_all(forgotten(), forgotten())));
        };
        co_await with_task_group(body);
    });
    CHECK(collected_warnings::all().empty());
}
