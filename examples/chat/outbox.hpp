// SPDX-License-Identifier: MIT
//
// outbox: the lines that wait to be written to one client.
//
// Whoever adds a line never waits. What is added while a write is under way is written together by
// the next one. Both buffers keep their capacity, so that a session that has run for a while
// allocates nothing. Never more than the limit is held: how to go on then is the caller's choice.
#pragma once

#include <coracle/coracle.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace chat {

class outbox {
public:
    explicit outbox(std::size_t limit_bytes) noexcept : limit_bytes_(limit_bytes) {}

    /// Adds a line and its end. False, with nothing added, if it is more than there is room for. A
    /// closed outbox drops it.
    [[nodiscard]] bool push(std::string_view line);

    /// Takes no further lines.
    void close() noexcept;

    [[nodiscard]] bool closed() const noexcept { return closed_; }

    /// Waits until at least half of the room is free.
    [[nodiscard]] coracle::event::wait_operation half_empty() noexcept {
        return half_empty_.wait();
    }

    /// How long a line can be that is always taken while the outbox is half empty.
    [[nodiscard]] std::size_t longest_answer() const noexcept { return limit_bytes_ / 2 - 1; }

    /// Writes what is there and what comes, until the outbox is closed and empty.
    [[nodiscard]] coracle::task<> write_to(coracle::stream& peer);

private:
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size() + writing_.size(); }

    std::size_t limit_bytes_;
    std::string waiting_;
    std::string writing_;
    coracle::event changed_; // there is something to write, or the outbox was closed
    coracle::event half_empty_{true};
    bool closed_ = false;
};

} // namespace chat
