// SPDX-License-Identifier: MIT
//
// line_buffer: takes lines out of bytes that come in pieces. It is the part of line_reader that
// does not depend on the stream.
//
// The bytes between `begin_` and `end_` have come and were not given out yet. It grows as lines
// need it, to little more than the limit.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace coracle::detail {

class line_buffer {
public:
    explicit line_buffer(std::size_t limit) noexcept;

    /// The line at the front without its end, if all of it is there; valid until `free_space`.
    /// Throws error::line_too_long, once for each line that is, whether or not its end is there.
    [[nodiscard]] std::optional<std::string_view> take_line();

    /// Where to read more bytes to, at least one; `add` then says how many have come.
    [[nodiscard]] std::span<std::byte> free_space();

    /// Stops the program if that is more than there was space for: the stream has written past it.
    void add(std::size_t count) noexcept;

    /// At the end of the stream: the unfinished last line, if there is one.
    [[nodiscard]] std::optional<std::string_view> take_rest() noexcept;

private:
    [[nodiscard]] const char* find_end() const noexcept;
    void drop_skipped() noexcept;

    std::size_t limit_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;   // the first byte not yet given out
    std::size_t scanned_ = 0; // no end of line is between `begin_` and this
    std::size_t end_ = 0;     // one behind the last byte read
    bool skipping_ = false;   // the rest of a line that was too long; nothing of it is kept
};

} // namespace coracle::detail
