// SPDX-License-Identifier: MIT
//
// virtual_clock: a driver whose time stands still while there is something to do, and jumps to the
// deadline when there is nothing. So a test of hours takes microseconds, and its times are exact.
//
// It never waits. A loop that asks it to wait without a deadline would hang, because nobody is left
// to wake it: that stops the program with a message instead.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <coracle/memory/fatal.hpp>
#include <coracle/runtime/driver.hpp>

namespace coracle::test {

class virtual_clock final : public driver {
public:
    [[nodiscard]] time_point now() noexcept override { return now_; }

    void poll(time_point deadline) override {
        // A wake-up may be late: then the loop has to find out by itself what has come.
        if (woken_.exchange(false) || deadline == time_point::min())
            return;
        if (deadline == time_point::max())
            detail::fatal("deadlock: everything waits, and no deadline will ever come");
        now_ = std::max(now_, deadline);
    }

    void wake() noexcept override { woken_ = true; }

    [[nodiscard]] bool idle() const noexcept override { return true; }

private:
    /// Not the clock's epoch, so that there is a past as well.
    time_point now_ = time_point(std::chrono::hours(1));
    std::atomic<bool> woken_ = false;
};

} // namespace coracle::test
