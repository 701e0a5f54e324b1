// SPDX-License-Identifier: MIT
//
// loop: a run that cannot go on ends with a message and an error.
#include "child_process.hpp"
#include "collected_warnings.hpp"
#include "virtual_loop.hpp"
#include "waiting_driver.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/threads/loop_handle.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// The error with which the run of `body` ends.
template <class Body>
std::error_code error_of(virtual_loop& in, Body body) {
    try {
        in.run(body);
    } catch (const std::system_error& error) {
        return error.code();
    }
    return {};
}

task<> wait_for(event& never) {
    co_await never.wait();
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop,
                  "deadlock: the run ends with an error, and a warning names who waits") {
    const collected_warnings warnings;
    bool unwound = false;
    const std::error_code error = error_of(*this, [&]() -> task<> {
        struct at_end {
            bool& flag;

            ~at_end() { flag = true; }
        } const end{unwound};
        event first;
        event second;
        auto body = [&](task_group& group) -> task<> {
            group.start("oarsman", wait_for, std::ref(first));
            group.start("helmsman", wait_for, std::ref(second));
            co_return;
        };
        co_await with_task_group(body);
    });
    CHECK(error == std::errc::resource_deadlock_would_occur);
    CHECK(unwound);
    const std::vector<std::string> said = collected_warnings::all();
    REQUIRE(said.size() == 1);
    CHECK(said[0].starts_with("deadlock: every job waits"));
    CHECK(said[0].find("waiting for task_group") != std::string::npos);
    CHECK(said[0].find("waiting for event") != std::string::npos);
    if (detail::inspectable) {
        CHECK(said[0].find("oarsman") != std::string::npos);
        CHECK(said[0].find("helmsman") != std::string::npos);
        CHECK(said[0].find("wait_for") != std::string::npos);
        CHECK(said[0].find("loop_test.cpp") != std::string::npos);
    }
}

TEST_CASE_FIXTURE(virtual_loop, "deadlock: the loop can run again afterwards") {
    const collected_warnings warnings;
    event never;
    CHECK(error_of(*this, [&] { return wait_for(never); }) ==
          std::errc::resource_deadlock_would_occur);
    CHECK(run([]() -> task<int> {
              co_await sleep_for(1ms);
              co_return 3;
          }) == 3);
}

TEST_CASE_FIXTURE(virtual_loop, "deadlock: a job that catches the cancellation does not hide it") {
    const collected_warnings warnings;
    event never;
    const std::error_code error = error_of(*this, [&]() -> task<> {
        const result<void> waited = co_await as_result(never.wait());
        CHECK(waited.error() == std::errc::operation_canceled);
    });
    CHECK(error == std::errc::resource_deadlock_would_occur);
}

TEST_CASE_FIXTURE(virtual_loop, "deadlock: a timer can still end a wait") {
    const collected_warnings warnings;
    event never;
    CHECK(error_of(*this, [&]() -> task<> { co_await with_timeout(1h, never.wait()); }) ==
          std::errc::timed_out);
    CHECK(collected_warnings::all().empty());
}

TEST_CASE("deadlock: a handle on another thread can still end a wait") {
    const collected_warnings warnings;
    waiting_driver sleeper;
    loop here(sleeper);
    event done;
    std::thread outside;
    auto main = [&]() -> task<> {
        // The last handle goes right after it has posted: what it posted counts.
        outside = std::thread(
            [&done, last = loop::current().handle()] { last.post([&done] { done.set(); }); });
        co_await done.wait();
    };
    here.run(main());
    outside.join();
    CHECK(collected_warnings::all().empty());
}

TEST_CASE("deadlock: what the last handle posts while the loop looks for one counts") {
    class watched_driver final : public driver {
    public:
        [[nodiscard]] time_point now() noexcept override { return {}; }

        void poll(time_point deadline) override {
            if (!std::exchange(woken_, false) && deadline == time_point::max())
                throw std::runtime_error("nobody would wake it");
        }

        void wake() noexcept override { woken_ = true; }

        [[nodiscard]] bool idle() const noexcept override {
            if (const auto meanwhile = std::exchange(at_idle, nullptr))
                meanwhile();
            return true;
        }

        mutable std::function<void()> at_idle;

    private:
        bool woken_ = false;
    };

    const collected_warnings warnings;
    watched_driver port;
    loop here(port);
    event done;
    std::optional<loop_handle> last(here.handle());
    port.at_idle = [&] {
        last->post([&done] { done.set(); });
        last.reset();
    };
    auto main = [&]() -> task<> { co_await done.wait(); };
    here.run(main());
    CHECK(collected_warnings::all().empty());
}

TEST_CASE("deadlock: what cancelling cannot end stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            event never;
            co_await shielded(never.wait());
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("coracle: deadlock: every job waits"));
    CHECK(outcome.said("coracle: fatal: deadlock: cancelling ends none of the waits"));
}

TEST_CASE("deadlock: a loop that sleeps notices the end of the last handle") {
    const collected_warnings warnings;
    waiting_driver sleeper;
    loop here(sleeper);
    event never;
    std::optional<loop_handle> handle(here.handle());
    std::thread outside;
    auto main = [&]() -> task<> {
        outside = std::thread([kept = std::move(*handle)]() mutable {
            kept.post([] {});
            const loop_handle last = std::move(kept);
        });
        handle.reset();
        co_await never.wait();
    };
    CHECK_THROWS_AS(here.run(main()), std::system_error);
    outside.join();
    CHECK(collected_warnings::all().size() == 1);
}

TEST_CASE("loop: run from within one of its own jobs stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            auto nested = []() -> task<> { co_return; };
            fixture.run(nested);
            co_return;
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a loop was run from within one of its own jobs: await the task instead"));
}
