// SPDX-License-Identifier: MIT
//
// world: what the jobs of one random program share.
//
// A connection is used by any number of jobs at once, so nobody can know in which order its bytes
// come; but each end writes bytes of one value only, so that a byte that went to a wrong place is
// seen. What checks order has a connection of its own: see exchange.
#pragma once

#include "random.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace coracle::fuzz {

/// A promise of the library was broken: stops the program, which then names the seed.
[[noreturn]] void fail(std::string_view what);

inline void require(bool holds, std::string_view what) {
    if (!holds)
        fail(what);
}

/// Both ends of a connection, and the value of the bytes that each end writes.
struct link {
    link(tcp_stream one, tcp_stream other) noexcept : ends{std::move(one), std::move(other)} {}

    std::array<tcp_stream, 2> ends;
    std::array<std::byte, 2> written{};
};

/// A connection over TCP, or more often a pair of local sockets, which leaves no port behind.
[[nodiscard]] task<link> make_link(random& choose);

class world {
public:
    explicit world(random& choose);

    /// Makes the connections.
    [[nodiscard]] task<> fill(random& choose);

    /// Replaces a connection; what is under way on it is cancelled.
    void replace(std::size_t index, link fresh);

    [[nodiscard]] link& any_link(random& choose) noexcept {
        return links_[choose.below(links_.size())];
    }

    [[nodiscard]] std::size_t any_index(random& choose) const noexcept {
        return choose.below(links_.size());
    }

    /// One of the kinds of steps that this program makes use of.
    [[nodiscard]] std::size_t any_step(random& choose) const noexcept {
        return steps_[choose.below(steps_.size())];
    }

    void use_steps(std::vector<std::size_t> kinds) noexcept { steps_ = std::move(kinds); }

    buffer_pool pool; // before what borrows from it
    tcp_listener listener;
    event flag;
    int steps_left; // of all jobs, so that every program ends

private:
    [[nodiscard]] link with_values(link fresh) noexcept;

    std::vector<link> links_;
    std::vector<std::size_t> steps_;
    unsigned next_value_ = 0;
};

/// That all bytes have the value that the peer writes.
void require_value(std::span<const std::byte> bytes, std::byte value);

/// How many kinds of steps there are.
[[nodiscard]] std::size_t step_kinds() noexcept;

/// A job that makes a few random steps, each of which may start further jobs.
[[nodiscard]] task<> act(world& with, random choose, int depth);

/// Sends a text over a connection of its own, and reads it in random ways. All of it must come, in
/// order, unless the job is cancelled.
[[nodiscard]] task<> exchange(world& with, random choose);

/// A pool that goes after its stream and its receive_many, whatever is still under way.
[[nodiscard]] task<> short_lived_pool(random choose);

} // namespace coracle::fuzz
