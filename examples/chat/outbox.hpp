// SPDX-License-Identifier: MIT
//
// outbox: the lines that wait to be written to one client, up to a limit.
//
// Adding a line never waits. Lines added during a write are written together by the next one. Both
// buffers keep their capacity, so that in steady state a session allocates nothing.
#pragma once

#include <coracle/coracle.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace chat {

class outbox {
public:
    explicit outbox(std::size_t limit_bytes) noexcept : limit_bytes_(limit_bytes) {}

    /// Adds a line and a newline. False, with nothing added, if that would exceed the limit. A
    /// closed outbox drops the line.
    [[nodiscard]] bool push(std::string_view line);

    /// Accepts no further lines.
    void close() noexcept;

    [[nodiscard]] bool closed() const noexcept { return closed_; }

    /// Waits until at most half of the limit is used.
    [[nodiscard]] coracle::event::wait_operation half_empty() noexcept {
        return half_empty_.wait();
    }

    /// The longest line that fits while `half_empty` is set.
    [[nodiscard]] std::size_t longest_answer() const noexcept { return limit_bytes_ / 2 - 1; }

    /// Writes all lines until the outbox is closed and empty.
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
