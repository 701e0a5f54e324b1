// SPDX-License-Identifier: MIT
//
// virtual_loop: the fixture of the runtime's tests. It has a loop on a virtual clock, and checks
// when it goes that every frame is freed, no timer is armed and nothing is ready. Every test case
// that runs a coroutine uses it, and so is a test of leaks as well.
#pragma once

#include "collected_warnings.hpp"
#include "virtual_clock.hpp"
#include <chrono>
#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <coracle/runtime/loop.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::test {

class virtual_loop {
public:
    static constexpr bool exact_time = true;

    virtual_loop() = default;
    virtual_loop(const virtual_loop&) = delete;
    virtual_loop& operator=(const virtual_loop&) = delete;

    ~virtual_loop() {
        CHECK(event_loop.timer_wheel().empty());
        CHECK(event_loop.ready().empty());
        CHECK(usage().live_frames == frames_before_);
    }

    /// Runs the task that `body()` gives, and keeps the captures of `body` alive meanwhile.
    template <class Body>
    auto run(Body body) {
        return event_loop.run(body());
    }

    // For await_point_sweep.

    [[nodiscard]] sleep_operation until_ready() noexcept {
        return sleep_until(event_loop.timer_wheel().next());
    }

    [[nodiscard]] static task<> check_usable() {
        const time_point start = now();
        co_await sleep_for(std::chrono::milliseconds(1));
        CHECK(now() == start + std::chrono::milliseconds(1));
    }

private:
    std::size_t frames_before_ = usage().live_frames;

public:
    virtual_clock clock;
    coracle::loop event_loop{clock};
};

/// What `awaited` throws, in its own words; "nothing" if it ends well.
template <awaitable Awaitable>
task<std::string> failure_of(Awaitable awaited) {
    std::string words = "nothing";
    try {
        static_cast<void>(co_await std::move(awaited));
    } catch (const std::exception& error) {
        words = error.what();
    } catch (const cancelled&) {
        words = "cancelled";
    }
    co_return words;
}

/// Counts how many of its copies are alive: what a leaked or twice destroyed value changes.
class counted {
public:
    explicit counted(int& alive) noexcept : alive_(&alive) { ++*alive_; }

    counted(const counted& other) noexcept : alive_(other.alive_) { ++*alive_; }

    counted& operator=(const counted&) = delete;

    ~counted() { --*alive_; }

private:
    int* alive_;
};

} // namespace coracle::test
