// SPDX-License-Identifier: MIT
//
// timer_wheel: a hierarchical wheel of intrusive timers, exact to the nanosecond.
//
// A timer lives in the level given by the highest group of six bits in which its deadline differs
// from the wheel's time, and in the slot given by those bits. So adding and removing cost the same
// with a million timers as with one; a timer is moved at most once for each level as it comes
// nearer, and one that is cancelled early, as most are, is never moved. Timers of equal deadline
// expire in no particular order.
#pragma once

#include "driver.hpp"
#include <array>
#include <cstddef>
#include <cstdint>

namespace coracle {

class timer_wheel;

/// Derive from it to be told when a deadline has come; the destructor disarms it.
class timer {
public:
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;

protected:
    timer() = default;

    ~timer() { disarm(); }

    /// Called once, from the loop, after the timer has left the wheel. Must not resume anything.
    virtual void expired() noexcept = 0;

    void disarm() noexcept;

private:
    friend class timer_wheel;

    timer* next_ = nullptr;
    timer* previous_ = nullptr;
    timer_wheel* wheel_ = nullptr;
    std::uint64_t deadline_ = 0; // in the wheel's nanoseconds
    std::uint16_t place_ = 0;    // level and slot
};

class timer_wheel {
public:
    timer_wheel() = default;
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    /// Arms a timer that is not armed. One whose deadline has passed expires at the next `advance`.
    void add(timer& added, time_point deadline) noexcept;

    /// Disarms a timer that is armed.
    void remove(timer& removed) noexcept;

    /// Expires all whose deadline is not after `now`.
    void advance(time_point now) noexcept;

    /// When `advance` has work to do at the earliest: never after the first deadline, and before it
    /// at most once for each level. time_point::max() if there is none.
    [[nodiscard]] time_point next() const noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

private:
    static constexpr unsigned bits = 6;
    static constexpr unsigned slots = 1U << bits;
    static constexpr unsigned levels = (64 + bits - 1) / bits;

    void insert(timer& inserted) noexcept;
    [[nodiscard]] std::uint64_t start_of(unsigned level, unsigned slot) const noexcept;
    void open(unsigned level, unsigned slot) noexcept;

    std::array<std::uint64_t, levels> occupied_ = {}; // one bit for each slot that holds timers
    std::array<std::array<timer*, slots>, levels> wheel_ = {};
    std::uint64_t time_ = 0; // no armed timer has an earlier deadline
    std::size_t size_ = 0;
    std::uint16_t levels_used_ = 0; // one bit for each level that holds timers
};

inline void timer::disarm() noexcept {
    if (wheel_)
        wheel_->remove(*this);
}

} // namespace coracle
