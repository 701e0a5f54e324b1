// SPDX-License-Identifier: MIT
//
// What belongs to a loop and is used on another thread stops the program with a message that names
// it. Each mistake is made in a child process.
#include "child_process.hpp"
#include "virtual_loop.hpp"
#include "waiting_driver.hpp"

#include <coracle/io/lease.hpp>
#include <coracle/runtime/object_pool.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>
#include <cstdio>
#include <doctest/doctest.h>
#include <functional>
#include <optional>
#include <string>
#include <thread>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* wrong_thread =
    " was called on another thread than that of the loop that it belongs to";

void on_another_thread(const std::function<void()>& work) {
    std::thread(work).join();
}

/// Does `mistake` on another thread, from within a job; the thread has a loop too if wanted.
child_outcome outcome_of(const std::function<void()>& mistake, bool with_loop = false) {
    return in_child_process([&] {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            on_another_thread([&] {
                virtual_clock clock;
                std::optional<loop> other;
                if (with_loop)
                    other.emplace(clock);
                mistake();
            });
            co_return;
        });
    });
}

} // namespace

TEST_CASE("event: set on another thread than its loop's, it stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            event done;
            auto waiter = [&]() -> task<> { co_await done.wait(); };
            auto setter = [&]() -> task<> {
                on_another_thread([&] { done.set(); });
                co_return;
            };
            co_await when_all(waiter(), setter());
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("event::set") + wrong_thread));
}

TEST_CASE("event: before its loop has used it, any thread may set it; afterwards no other") {
    virtual_loop fixture;
    event prepared;
    on_another_thread([&] { prepared.set(); });
    fixture.run([&]() -> task<> { co_await prepared.wait(); });
    prepared.reset();
    const child_outcome outcome =
        in_child_process([&] { on_another_thread([&] { prepared.reset(); }); });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("event::reset") + wrong_thread));
}

TEST_CASE("event: awaited in the loop of another thread, it stops the program") {
    const child_outcome outcome = in_child_process([] {
        event done(true);
        auto wait = [&]() -> task<> { co_await done.wait(); };
        virtual_loop fixture;
        fixture.run(wait);
        on_another_thread([&] {
            virtual_loop other;
            other.run(wait);
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("event::wait") + wrong_thread));
}

TEST_CASE("awaiter: a wait that another thread ends stops the program and is named") {
    class foreign final : public awaiter {
    public:
        explicit foreign(foreign*& waiting) noexcept : awaiter("lantern"), waiting_(&waiting) {}

        [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

        void await_suspend(std::coroutine_handle<detail::task_promise<void>> waiting) noexcept {
            *waiting_ = this;
            begin(waiting.promise());
        }

        void await_resume() noexcept { end(); }

        void interrupt() noexcept override { wake(); }

        void light() noexcept { wake(); }

    private:
        foreign** waiting_;
    };

    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            foreign* lamp = nullptr;
            auto waiter = [&]() -> task<> { co_await foreign(lamp); };
            auto breaker = [&]() -> task<> {
                on_another_thread([&] { lamp->light(); });
                co_return;
            };
            co_await when_all(waiter(), breaker());
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("the wait for a lantern in "));
    CHECK(outcome.said("was ended on another thread than that of its loop"));
}

TEST_CASE("task_group: cancelled on another thread, it stops the program") {
    const child_outcome outcome = in_child_process([&] {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            auto body = [&](task_group& group) -> task<> {
                auto job = []() -> task<> { co_await sleep_for(1h); };
                group.start(job);
                on_another_thread([&] { group.cancel(); });
                co_return;
            };
            co_await with_task_group(body);
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("job::cancel") + wrong_thread));
}

TEST_CASE("task_group: started in from the thread of another loop, it stops the program") {
    const child_outcome outcome = in_child_process([&] {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            auto body = [&](task_group& group) -> task<> {
                auto job = []() -> task<> { co_return; };
                on_another_thread([&] {
                    virtual_clock clock;
                    loop other(clock);
                    group.start(job);
                });
                co_return;
            };
            co_await with_task_group(body);
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("task_group::start") + wrong_thread));
}

TEST_CASE("object_pool: an object made on another thread than its loop's stops the program") {
    object_pool<int> numbers;
    {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            object_handle<int> mine = numbers.make([] { return 1; });
            mine.reset();
            co_return;
        });
    }
    const child_outcome outcome =
        outcome_of([&] { const object_handle<int> other = numbers.make([] { return 2; }); });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("object_pool::make") + wrong_thread));
}

TEST_CASE("object_pool: ended on another thread, an object is not touched there") {
    class loud {
    public:
        ~loud() { std::fputs("destroyed", stderr); }
    };

    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        fixture.run([]() -> task<> {
            object_pool<loud> pool;
            auto make = [] { return loud(); };
            object_handle<loud> mine = pool.make(make);
            on_another_thread([&] { mine.reset(); });
            co_return;
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("the end of an object of an object_pool") + wrong_thread));
    CHECK_FALSE(outcome.said("destroyed"));
}

TEST_CASE("buffer_pool: a buffer leased on another thread than its loop's stops the program") {
    buffer_pool buffers(2, 64);
    {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            buffer_lease mine = co_await buffers.lease();
            mine.reset();
        });
    }
    const child_outcome outcome =
        outcome_of([&] { const buffer_lease other = buffers.try_lease(); }, true);
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("buffer_pool::lease") + wrong_thread));
}

TEST_CASE("buffer_pool: a lease that ends on another thread than its loop's stops the program") {
    buffer_pool buffers(2, 64);
    const child_outcome outcome = in_child_process([&] {
        virtual_loop fixture;
        fixture.run([&]() -> task<> {
            buffer_lease mine = co_await buffers.lease();
            on_another_thread([&] { mine.reset(); });
        });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said(std::string("the end of a lease of a buffer_pool") + wrong_thread));
}

TEST_CASE("loop: run on another thread it stops the program, whether its job waits or not") {
    for (const bool waits : {false, true}) {
        CAPTURE(waits);
        const child_outcome outcome = in_child_process([waits] {
            virtual_loop fixture;
            event never;
            auto job = [&]() -> task<> {
                if (waits)
                    co_await never.wait();
            };
            on_another_thread([&] { fixture.run(job); });
        });
        CHECK(outcome.aborted);
        CHECK(outcome.said("a loop was run on another thread than the one that made it"));
    }
}

TEST_CASE("loop: destroyed on another thread it stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_clock clock;
        std::optional<loop> here(std::in_place, clock);
        on_another_thread([&] { here.reset(); });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a loop was destroyed on another thread than the one that made it"));
}

TEST_CASE("loop: a second one on the same thread stops the program") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        virtual_clock clock;
        const loop second(clock);
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a second loop was made on a thread whose first one still lives"));
}

TEST_CASE("loop: asked for where none runs it stops the program") {
    const child_outcome outcome =
        in_child_process([] { static_cast<void>(loop::current().now()); });
    CHECK(outcome.aborted);
    CHECK(outcome.said("no loop runs on this thread: call this from within coracle::run"));
}

TEST_CASE("loop: a handle is taken on the loop's own thread") {
    const child_outcome outcome = in_child_process([] {
        virtual_loop fixture;
        on_another_thread([&] { static_cast<void>(fixture.event_loop.handle()); });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("loop::handle was called on another thread"));
}
