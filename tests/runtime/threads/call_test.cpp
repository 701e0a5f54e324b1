// SPDX-License-Identifier: MIT
//
// call: a function on another loop's thread, awaited.
#include "child_process.hpp"
#include "virtual_loop.hpp"
#include "waiting_driver.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/loop.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/threads/call.hpp>
#include <coracle/runtime/threads/remote_event.hpp>
#include <coracle/runtime/timeout.hpp>
#include <cstdio>
#include <doctest/doctest.h>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// A loop on a thread of its own, which runs until this goes.
class other_thread {
public:
    other_thread() : thread_([this] { serve(); }) {
        handle_.emplace(handle_there_.get_future().get());
    }

    ~other_thread() {
        handle_->post([this] { stop_.set(); });
        thread_.join();
    }

    other_thread(const other_thread&) = delete;
    other_thread& operator=(const other_thread&) = delete;

    [[nodiscard]] const loop_handle& handle() const { return *handle_; }

    [[nodiscard]] std::thread::id id() const { return thread_.get_id(); }

private:
    void serve() {
        waiting_driver sleeper;
        loop there(sleeper);
        handle_there_.set_value(there.handle());
        auto main = [this]() -> task<> { co_await stop_.wait(); };
        there.run(main());
    }

    std::promise<loop_handle> handle_there_;
    std::optional<loop_handle> handle_;
    event stop_;
    std::thread thread_;
};

/// Runs the task that `body(handle of another thread's loop)` gives on a loop of this thread.
template <class Body>
void run_beside(Body body) {
    other_thread other;
    waiting_driver sleeper;
    loop here(sleeper);
    here.run(body(other));
}

} // namespace

TEST_CASE("call: the function runs on the other thread, and its value comes back to this one") {
    run_beside([](other_thread& other) -> task<> {
        const std::thread::id mine = std::this_thread::get_id();
        for (int i = 0; i < 100; ++i) {
            auto ran_on = [] { return std::this_thread::get_id(); };
            const std::thread::id there = co_await other.handle().call(ran_on);
            CHECK(there == other.id());
            CHECK(std::this_thread::get_id() == mine);
        }
        int runs = 0;
        auto count = [&runs] { ++runs; };
        co_await other.handle().call(count);
        CHECK(runs == 1);
        auto owned = [kept = std::make_unique<int>(7)] { return *kept; };
        const int value = co_await other.handle().call(std::move(owned));
        CHECK(value == 7);
    });
}

TEST_CASE("call: an exception comes back") {
    run_beside([](other_thread& other) -> task<> {
        auto failing = []() -> int { throw std::runtime_error("the boat has a hole"); };
        auto attempt = [&]() -> task<> {
            static_cast<void>(co_await other.handle().call(failing));
        };
        const std::string said = co_await failure_of(attempt());
        CHECK(said == "the boat has a hole");
    });
}

TEST_CASE("call: a function that is still queued is taken back when the call is cancelled") {
    int alive = 0;
    bool ran = false;
    run_beside([&](other_thread& other) -> task<> {
        // Keeps the other loop busy until the call has been cancelled.
        std::promise<void> cancelled;
        auto busy = [wait = cancelled.get_future().share()] { wait.wait(); };
        other.handle().post(busy);
        auto function = [kept = counted(alive), &ran] { ran = true; };
        auto call = [&]() -> task<> { co_await other.handle().call(std::move(function)); };
        const result<void> called = co_await as_result(with_timeout(1ms, call()));
        CHECK(called.error() == std::errc::timed_out);
        CHECK(alive == 1); // the one that is here
        cancelled.set_value();
        auto nothing = [] {};
        co_await other.handle().call(nothing); // comes after the other in the queue
        CHECK_FALSE(ran);
    });
    CHECK(alive == 0);
}

TEST_CASE("call: a function that runs is awaited when the call is cancelled") {
    run_beside([](other_thread& other) -> task<> {
        remote_event begun;
        std::promise<void> cancelled;
        int ran = 0;
        bool answered = false;
        auto function = [&, wait = cancelled.get_future().share()] {
            begun.set();
            wait.wait();
            return ++ran;
        };
        auto body = [&](task_group& group) -> task<> {
            auto call = [&]() -> task<> {
                const int value = co_await other.handle().call(function);
                CHECK(value == 1);
                answered = true;
            };
            group.start(call);
            co_await begun.wait();
            group.cancel();
            cancelled.set_value();
        };
        co_await with_task_group(body);
        CHECK(ran == 1);
        CHECK(answered);
    });
}

TEST_CASE("call: one that was taken back keeps no handle, which would hide a deadlock") {
    const child_outcome outcome = in_child_process([] {
        try {
            run_beside([](other_thread& other) -> task<> {
                std::promise<void> cancelled;
                auto busy = [wait = cancelled.get_future().share()] { wait.wait(); };
                other.handle().post(busy);
                auto nothing = [] {};
                auto call = [&]() -> task<> { co_await other.handle().call(nothing); };
                static_cast<void>(co_await as_result(with_timeout(1ms, call())));
                cancelled.set_value();
                co_await other.handle().call(nothing); // comes after the other in the queue
                event never;
                co_await never.wait();
            });
        } catch (const std::system_error& error) {
            if (error.code() == std::errc::resource_deadlock_would_occur)
                std::fputs("the run has ended", stderr);
        }
    });
    CHECK(outcome.said("deadlock: every job waits"));
    CHECK(outcome.said("the run has ended"));
}

TEST_CASE("call: to a loop that has ended, or ends before it runs the function, is an error") {
    virtual_loop fixture;
    fixture.run([]() -> task<> {
        std::optional<loop_handle> ended;
        std::promise<void> posted;
        std::promise<loop_handle> handle;
        std::thread other([&] {
            virtual_clock clock;
            loop brief(clock);
            handle.set_value(brief.handle());
            posted.get_future().wait();
        });
        ended.emplace(handle.get_future().get());
        auto nothing = [] {};
        auto body = [&](task_group& group) -> task<> {
            auto call = [&]() -> task<> {
                const result<void> called = co_await as_result([](const loop_handle& to) -> task<> {
                    auto function = [] {};
                    co_await to.call(function);
                }(*ended));
                CHECK(called.error() == std::errc::no_such_process);
            };
            group.start(call);
            co_await yield();
            posted.set_value();
            other.join();
        };
        co_await with_task_group(body);
        auto late = [&]() -> task<> { co_await ended->call(nothing); };
        const result<void> called = co_await as_result(late());
        CHECK(called.error() == std::errc::no_such_process);
    });
}
