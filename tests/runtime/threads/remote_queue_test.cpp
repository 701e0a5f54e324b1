// SPDX-License-Identifier: MIT
//
// Reaching a loop from elsewhere: what is posted runs once in order or is destroyed once, and wakes
// a loop that sleeps. The tests with threads sleep on a real condition variable.
#include "virtual_loop.hpp"
#include "waiting_driver.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coracle/runtime/loop.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// A driver during whose sleep something happens, as if on another thread: `poll` calls it.
class interrupted_driver final : public driver {
public:
    template <class Action>
    void when_asleep(Action action) {
        action_ = std::move(action);
    }

    [[nodiscard]] time_point now() noexcept override { return time_point(1h); }

    void poll(time_point deadline) override {
        if (deadline == time_point::min())
            return;
        ++sleeps;
        const std::function<void()> action = std::exchange(action_, nullptr);
        if (action)
            action();
        if (!std::exchange(woken_, false))
            detail::fatal("nobody woke a loop that sleeps");
    }

    void wake() noexcept override {
        woken_ = true;
        ++wakes;
    }

    int sleeps = 0;
    int wakes = 0;

private:
    std::function<void()> action_;
    bool woken_ = false;
};

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "loop_handle: what is posted runs on a later iteration, in order") {
    run([]() -> task<> {
        const loop_handle here = loop::current().handle();
        std::string order;
        CHECK(here.post([&] { order += 'a'; }));
        CHECK(here.post([&] {
            order += 'b';
            here.post([&] { order += 'd'; }); // not before the next iteration
        }));
        CHECK(here.post([&] { order += 'c'; }));
        CHECK(order.empty());
        co_await sleep_for(0ns);
        CHECK(order == "abc");
        co_await sleep_for(0ns);
        CHECK(order == "abcd");
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "loop_handle: what is posted may be move-only, and is destroyed once") {
    int alive = 0;
    run([&alive]() -> task<> {
        auto owned = std::make_unique<counted>(alive);
        int seen = 0;
        loop::current().handle().post(
            [owned = std::move(owned), &alive, &seen] { seen = owned ? alive : -1; });
        CHECK(alive == 1);
        co_await sleep_for(0ns);
        CHECK(seen == 1);
        CHECK(alive == 0);
    });
}

TEST_CASE("loop_handle: posting to a loop that has ended gives false and destroys the function") {
    int alive = 0;
    bool ran = false;
    virtual_clock clock;
    std::optional<loop> brief(std::in_place, clock);
    const loop_handle there = brief->handle();
    CHECK(there.post([kept = counted(alive), &ran] { ran = true; }));
    CHECK(alive == 1);
    brief.reset(); // destroys the work item that it did not run
    CHECK(alive == 0);
    CHECK_FALSE(there.post([kept = counted(alive), &ran] { ran = true; }));
    CHECK(alive == 0);
    CHECK_FALSE(ran);
}

TEST_CASE("loop_handle: a work item may post as it is destroyed by a loop that ends") {
    virtual_clock clock;
    std::optional<loop> brief(std::in_place, clock);
    const loop_handle there = brief->handle();
    bool accepted = true;

    class posts_at_end {
    public:
        posts_at_end(const loop_handle& to, bool& accepted) : to_(to), accepted_(&accepted) {}

        posts_at_end(posts_at_end&& other) noexcept
            : to_(other.to_), accepted_(std::exchange(other.accepted_, nullptr)) {}

        ~posts_at_end() {
            if (accepted_)
                *accepted_ = to_.post([] {});
        }

        void operator()() const {}

    private:
        loop_handle to_;
        bool* accepted_;
    };

    CHECK(there.post(posts_at_end(there, accepted)));
    brief.reset();
    CHECK_FALSE(accepted);
}

TEST_CASE_FIXTURE(virtual_loop,
                  "loop_handle: an exception becomes a warning, and the next one runs") {
    const collected_warnings warnings;
    run([]() -> task<> {
        bool next_ran = false;
        const loop_handle here = loop::current().handle();
        here.post([] { throw std::runtime_error("went wrong"); });
        here.post([] { throw 7; });
        here.post([&] { next_ran = true; });
        co_await sleep_for(0ns);
        CHECK(next_ran);
    });
    REQUIRE(collected_warnings::all().size() == 2);
    CHECK(collected_warnings::all()[0] == "a function posted to a loop threw: went wrong");
    CHECK(collected_warnings::all()[1] ==
          "a function posted to a loop threw: an exception that is not a std::exception");
}

TEST_CASE("loop_handle: it wakes a loop that sleeps, once, and never one that does not") {
    interrupted_driver sleeper;
    loop waiting(sleeper);
    const loop_handle there = waiting.handle();
    event done;
    auto main = [&]() -> task<> {
        there.post([] {}); // to a loop that runs: no need to wake it
        co_await done.wait();
    };
    sleeper.when_asleep([&] {
        there.post([] {});
        there.post([&] { done.set(); });
    });
    waiting.run(main());
    CHECK(sleeper.sleeps == 1);
    CHECK(sleeper.wakes == 1);
}

TEST_CASE("loop_handle: many threads, every work item runs once and in its thread's order") {
    constexpr int thread_count = 4;
    constexpr int item_count = 2'000;
    waiting_driver sleeper;
    loop receiving(sleeper);
    const loop_handle there = receiving.handle();
    std::vector<int> received(thread_count, 0);
    int out_of_order = 0;
    int senders_done = 0;
    event all_done;
    std::vector<std::thread> senders;
    for (int sender = 0; sender < thread_count; ++sender) {
        senders.emplace_back([&, sender] {
            for (int i = 0; i < item_count; ++i) {
                there.post([&received, &out_of_order, sender, i] {
                    out_of_order += received[static_cast<std::size_t>(sender)]++ != i;
                });
            }
            there.post([&] {
                if (++senders_done == thread_count)
                    all_done.set();
            });
        });
    }
    auto main = [&]() -> task<> { co_await all_done.wait(); };
    receiving.run(main());
    for (std::thread& each : senders)
        each.join();
    CHECK(out_of_order == 0);
    CHECK(received == std::vector<int>(thread_count, item_count));
}

TEST_CASE("loop_handle: a loop that sleeps between all work items misses none") {
    // The next work item comes a little later each time after the one before has run, so that some
    // come just as the loop falls asleep. One that is missed shows as a test that hangs.
    waiting_driver sleeper;
    loop receiving(sleeper);
    const loop_handle there = receiving.handle();
    std::atomic<int> answered = 0;
    event all_done;
    std::thread sender([&] {
        for (int i = 0; i < 20'000; ++i) {
            there.post([&] { ++answered; });
            while (answered == i)
                std::this_thread::yield();
            for (int delay = 0; delay < i % 100; ++delay)
                static_cast<void>(answered.load());
        }
        there.post([&] { all_done.set(); });
    });
    auto main = [&]() -> task<> { co_await all_done.wait(); };
    receiving.run(main());
    sender.join();
    CHECK(answered == 20'000);
}

TEST_CASE("loop_handle: threads that post while the loop ends lose nothing and destroy all") {
    std::atomic<int> alive = 0;
    std::atomic<int> ran = 0;

    class tracked {
    public:
        explicit tracked(std::atomic<int>& alive) : alive_(&alive) { ++*alive_; }

        tracked(const tracked& other) : alive_(other.alive_) { ++*alive_; }

        tracked& operator=(const tracked&) = delete;

        ~tracked() { --*alive_; }

    private:
        std::atomic<int>* alive_;
    };

    for (int round = 0; round < 50; ++round) {
        waiting_driver sleeper;
        std::optional<loop> brief(std::in_place, sleeper);
        const loop_handle there = brief->handle();
        std::atomic<int> started = 0;
        std::vector<std::thread> senders;
        for (int sender = 0; sender < 3; ++sender) {
            senders.emplace_back([&] {
                ++started;
                // Ends as soon as the loop has, or when it has kept the loop from that for long
                // enough: the lock is not fair everywhere.
                for (int sent = 0; sent < 2'000; ++sent) {
                    if (!there.post([kept = tracked(alive), &ran] { ++ran; }))
                        break;
                }
            });
        }
        auto main = [&]() -> task<> {
            while (started < 3) // std::atomic::wait misses notices where it has no futex
                std::this_thread::yield();
            co_return;
        };
        brief->run(main());
        brief.reset();
        for (std::thread& each : senders)
            each.join();
        CHECK(alive == 0);
    }
}

TEST_CASE("loop: each thread has one of its own") {
    virtual_clock clock;
    {
        loop mine(clock);
        std::thread([] {
            virtual_clock other_clock;
            loop other(other_clock);
            CHECK(&loop::current() == &other);
        }).join();
        CHECK(&loop::current() == &mine);
    }
    loop again(clock);
    auto main = []() -> task<int> { co_return 3; };
    CHECK(again.run(main()) == 3);
    CHECK(again.run(main()) == 3);
}
