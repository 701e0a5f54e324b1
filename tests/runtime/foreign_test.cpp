// SPDX-License-Identifier: MIT
//
// Other libraries: their awaitables in a task, and ours in their coroutines.
#include "child_process.hpp"
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/bridge.hpp>
#include <coracle/runtime/foreign.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/this_job.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <coroutine>
#include <doctest/doctest.h>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace foreign {

/// A promise as in other libraries: whoever awaits it is resumed by whoever keeps it.
class promise {
public:
    struct awaiter {
        promise* of;

        [[nodiscard]] bool await_ready() const noexcept { return of->kept_; }

        void await_suspend(std::coroutine_handle<> awaiting) noexcept { of->awaiting_ = awaiting; }

        int await_resume() const {
            if (of->broken_)
                throw std::runtime_error("broken promise");
            return 7;
        }
    };

    void keep() {
        kept_ = true;
        if (awaiting_)
            std::exchange(awaiting_, nullptr).resume();
    }

    void break_it() {
        broken_ = true;
        keep();
    }

    [[nodiscard]] bool awaited() const noexcept { return awaiting_ != nullptr; }

private:
    bool kept_ = false;
    bool broken_ = false;
    std::coroutine_handle<> awaiting_;
};

/// Found by argument-dependent look-up: this type has no member operator co_await.
inline promise::awaiter operator co_await(promise& awaited) noexcept {
    return {&awaited};
}

/// The same as an rvalue, for those who take what they await by value.
struct reference {
    promise* of;
};

inline promise::awaiter operator co_await(reference awaited) noexcept {
    return {awaited.of};
}

/// A coroutine that begins at once and belongs to nobody.
struct detached {
    struct promise_type {
        static detached get_return_object() noexcept { return {}; }

        static std::suspend_never initial_suspend() noexcept { return {}; }

        static std::suspend_never final_suspend() noexcept { return {}; }

        static void return_void() noexcept {}

        [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
    };
};

/// A task of another library: it begins when it is awaited, and goes on by symmetric transfer.
class lazy {
public:
    struct promise_type {
        struct back {
            static bool await_ready() noexcept { return false; }

            static std::coroutine_handle<>
            await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
                return ended.promise().awaiting;
            }

            static void await_resume() noexcept {}
        };

        lazy get_return_object() noexcept {
            return lazy(std::coroutine_handle<promise_type>::from_promise(*this));
        }

        static std::suspend_always initial_suspend() noexcept { return {}; }

        static back final_suspend() noexcept { return {}; }

        void return_value(int given) noexcept { value = given; }

        [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }

        int value = 0;
        std::coroutine_handle<> awaiting;
    };

    explicit lazy(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

    lazy(lazy&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}

    lazy& operator=(lazy&&) = delete;

    ~lazy() {
        if (frame_)
            frame_.destroy();
    }

    [[nodiscard]] static bool await_ready() noexcept { return false; }

    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        frame_.promise().awaiting = awaiting;
        return frame_;
    }

    [[nodiscard]] int await_resume() const noexcept { return frame_.promise().value; }

private:
    std::coroutine_handle<promise_type> frame_;
};

inline lazy computes(promise& first) {
    const int value = co_await first;
    co_return value + 1;
}

} // namespace foreign

TEST_CASE_FIXTURE(virtual_loop, "foreign: an awaitable of another library in a task") {
    run([]() -> task<> {
        foreign::promise there;
        auto waits = [&]() -> task<int> { co_return co_await there; };
        auto keeps = [&]() -> task<> {
            co_await sleep_for(1ms);
            there.keep();
        };
        const auto [value, nothing] = co_await when_all(waits(), keeps());
        CHECK(value == 7);
        const int at_once = co_await there;
        CHECK(at_once == 7);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "foreign: the job goes on in the loop, not where it is resumed") {
    run([]() -> task<> {
        foreign::promise there;
        bool keeping = false;
        bool resumed_inside = true;
        auto waits = [&]() -> task<> {
            static_cast<void>(co_await there);
            resumed_inside = keeping;
        };
        auto keeps = [&]() -> task<> {
            co_await yield();
            keeping = true;
            there.keep();
            keeping = false;
        };
        co_await when_all(waits(), keeps());
        CHECK_FALSE(resumed_inside);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "foreign: exceptions, symmetric transfer and free operators") {
    run([]() -> task<> {
        foreign::promise breaks;
        auto waits = [&]() -> task<> { static_cast<void>(co_await breaks); };
        auto breaking = [&]() -> task<> {
            co_await yield();
            breaks.break_it();
        };
        const auto failing = co_await failure_of(when_all(waits(), breaking()));
        CHECK(failing == "broken promise");

        foreign::promise later;
        foreign::promise in_time; // only one may await each of them
        auto keeping = [&]() -> task<> {
            co_await sleep_for(1ms);
            later.keep();
            in_time.keep();
        };
        const auto [computed, limited, nothing] = co_await when_all(
            foreign::computes(later), with_timeout(1s, foreign::reference{&in_time}), keeping());
        CHECK(computed == 8);
        CHECK(limited == 7);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "foreign: resumed by another thread") {
    run([]() -> task<> {
        foreign::promise there;
        const std::thread::id here = std::this_thread::get_id();
        std::thread other;
        event released;
        auto waits = [&]() -> task<> {
            static_cast<void>(co_await there);
            CHECK(std::this_thread::get_id() == here);
            released.set();
        };
        auto keeps = [&]() -> task<> {
            co_await yield();
            other = std::thread([&] { there.keep(); });
            while (!released.is_set())
                co_await yield();
        };
        co_await when_all(waits(), keeps());
        other.join();
    });
}

TEST_CASE_FIXTURE(virtual_loop, "foreign: with a hook it can be cancelled") {
    run([]() -> task<> {
        const time_point start = now();
        foreign::promise there;
        int hooks = 0;
        auto hook = [&] {
            ++hooks;
            there.keep(); // it ends, although with a value
        };
        const int late = co_await with_timeout(2ms, adapt(foreign::reference{&there}, hook));
        CHECK(late == 7);
        CHECK(hooks == 1);
        CHECK(now() == start + 2ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "foreign: the hook is called once, by a time-out or by cancelling") {
    run([]() -> task<> {
        foreign::promise there;
        int hooks = 0;
        auto hook = [&hooks] { ++hooks; };
        auto waits = [&]() -> task<> {
            static_cast<void>(co_await with_timeout(1ms, adapt(foreign::reference{&there}, hook)));
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(waits);
            co_await sleep_for(2ms);
            CHECK(hooks == 1); // the time is over
            group.cancel();
            CHECK(hooks == 1);
            there.keep();
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "foreign: a loop that awaits what is always ready") {
    run([]() -> task<> {
        int rounds = 0;
        auto body = [&](task_group& group) -> task<> {
            auto spins = [&]() -> task<> {
                for (; rounds < 100'000; ++rounds)
                    co_await std::suspend_never();
            };
            group.start(spins);
            co_await yield();
            co_await yield();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(rounds <= 3 * detail::inline_budget_full);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "foreign: in a cancelled job it does not begin") {
    run([]() -> task<> {
        foreign::promise there;
        bool refused = false;
        auto body = [&](task_group& group) -> task<> {
            group.cancel();
            try {
                static_cast<void>(co_await there);
            } catch (const cancelled&) {
                refused = true;
            }
        };
        co_await with_task_group(body);
        CHECK(refused);
        CHECK_FALSE(there.awaited());
    });
}

TEST_CASE_FIXTURE(virtual_loop, "bridge: operations and tasks in a coroutine of another library") {
    run([]() -> task<> {
        const time_point start = now();
        std::string log;
        event over;
        event never;
        auto coroutine = [](std::string& to, event& ended, event& waits) -> foreign::detached {
            to += "begins ";
            co_await bridge(sleep_for(2ms));
            auto three = []() -> task<int> {
                co_await sleep_for(1ms);
                co_return 3;
            };
            const int value = co_await bridge(three());
            to += std::to_string(value);
            const result<void> limited =
                co_await bridge(as_result(with_timeout(1ms, waits.wait())));
            to += limited.error() == std::errc::timed_out ? " timed out" : " ?";
            ended.set();
        };
        coroutine(log, over, never);
        co_await over.wait();
        CHECK(log == "begins 3 timed out");
        CHECK(now() == start + 4ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "bridge: what has a name can be cancelled") {
    run([]() -> task<> {
        event never;
        bool told = false;
        bridge waiting(never.wait());
        auto coroutine = [](bridge<event::wait_operation>& awaited,
                            bool& cancelled_there) -> foreign::detached {
            try {
                co_await awaited;
            } catch (const cancelled&) {
                cancelled_there = true;
            }
        };
        coroutine(waiting, told);
        co_await sleep_for(1ms);
        waiting.cancel();
        co_await yield();
        CHECK(told);
    });
}

TEST_CASE("bridge: destroyed before the loop has begun what it awaits, it stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            std::optional<bridge<yield_operation>> early;
            early.emplace(yield());
            early->await_suspend(std::noop_coroutine());
            early.reset();
            co_await yield();
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a bridge was destroyed before what it awaits has ended"));
}
