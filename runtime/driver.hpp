// SPDX-License-Identifier: MIT
//
// driver: the port through which a loop sleeps and learns what has happened.
//
// The loop owns frames and timers; the driver owns the kernel and the clock. A driver never resumes
// anything: it ends the waits of awaiters, which makes their jobs ready, and the loop resumes them
// afterwards.
#pragma once

#include <chrono>
#include <cstddef>

namespace coracle {

/// A moment on the loop's clock: std::chrono::steady_clock, unless a test or a simulation owns
/// time.
using time_point = std::chrono::steady_clock::time_point;

/// What a driver has under way, for whoever inspects the loop.
struct driver_totals {
    std::size_t operations = 0; // in flight
    std::size_t sockets = 0;    // used and open
};

struct driver {
    /// The present, never earlier than an answer already given.
    [[nodiscard]] virtual time_point now() noexcept = 0;

    /// Collects what has happened, waiting for it until `deadline` at the latest.
    /// time_point::min() means: look, but do not wait. time_point::max() means: no deadline.
    virtual void poll(time_point deadline) = 0;

    /// Ends a `poll` that waits, or keeps the next one from waiting. Legal from any thread.
    virtual void wake() noexcept = 0;

    /// Whether nothing is under way that could end a wait, so that a `poll` without a deadline ends
    /// by `wake` or never. False where the driver cannot tell.
    [[nodiscard]] virtual bool idle() const noexcept { return false; }

    [[nodiscard]] virtual driver_totals totals() const noexcept { return {}; }

protected:
    driver() = default;
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() = default;
};

} // namespace coracle
