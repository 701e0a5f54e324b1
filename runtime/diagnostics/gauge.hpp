// SPDX-License-Identifier: MIT
//
// gauge: a count that its owner changes and that usage() reads from any thread.
//
// Only one thread changes it, so that counting is a plain load and store and no locked instruction.
// Making and ending a gauge takes a lock: it is for pools and loops, not for what they hand out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coracle::detail {

/// What usage() gives the sum of.
enum class gauge_kind : std::uint8_t { operations, sockets, leases, objects };

class gauge {
public:
    explicit gauge(gauge_kind what) noexcept;
    ~gauge();
    gauge(const gauge&) = delete;
    gauge& operator=(const gauge&) = delete;

    // On the owner's thread.

    void add() noexcept { count_.store(count() + 1, std::memory_order_relaxed); }

    void subtract() noexcept { count_.store(count() - 1, std::memory_order_relaxed); }

    // On any.

    [[nodiscard]] std::size_t count() const noexcept {
        return count_.load(std::memory_order_relaxed);
    }

private:
    friend std::size_t sum_of(gauge_kind what) noexcept;

    std::atomic<std::size_t> count_ = 0;
    gauge_kind what_;
    gauge* next_;
    gauge* previous_ = nullptr;
};

/// Of all gauges of that kind, on all threads.
[[nodiscard]] std::size_t sum_of(gauge_kind what) noexcept;

/// Holds the lock of the list of gauges, while fork(2) copies it.
void lock_gauges() noexcept;
void unlock_gauges() noexcept;

} // namespace coracle::detail
