// SPDX-License-Identifier: MIT
//
// random: a generator that gives the same numbers for the same seed on every platform (splitmix64).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace coracle::fuzz {

class random {
public:
    explicit random(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t next() noexcept {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t bits = state_;
        bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
        bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
        return bits ^ (bits >> 31);
    }

    /// 0..limit-1
    std::size_t below(std::size_t limit) noexcept {
        return static_cast<std::size_t>(next() % limit);
    }

    /// least..greatest
    std::size_t between(std::size_t least, std::size_t greatest) noexcept {
        return least + below(greatest - least + 1);
    }

    bool one_in(std::size_t chances) noexcept { return below(chances) == 0; }

    /// Mostly small, now and then as large as `greatest`.
    std::size_t size(std::size_t greatest) noexcept {
        const std::size_t limit = one_in(6) ? greatest : 1 + greatest / 64;
        return between(1, limit);
    }

    /// Often none at all, so that a time-out races with what it limits.
    std::chrono::microseconds time() noexcept {
        return std::chrono::microseconds(one_in(3) ? 0 : below(200));
    }

    /// A generator for another job, independent of what this one gives from now on.
    random fork() noexcept { return random(next()); }

private:
    std::uint64_t state_;
};

} // namespace coracle::fuzz
