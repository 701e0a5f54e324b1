// SPDX-License-Identifier: MIT
//
// line_reader: lines of text from a stream, of bounded length.
#pragma once

#include "../runtime/task.hpp"
#include "stream.hpp"
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace coracle {

class line_reader {
public:
    /// Reads from `source`, which must outlive it. A line may have `limit` bytes, its end not
    /// counted. Its buffer grows as lines need it, to little more than the limit.
    explicit line_reader(stream& source, std::size_t limit = 4096);

    /// The next line without its end, LF or CRLF; nullopt at the end of the stream, before which
    /// an unfinished last line counts. The text is valid until the next call.
    ///
    /// errors   as read. error::line_too_long, once for each line that is: the next call skips the
    ///          rest of it and goes on with the line after. Cancelling loses nothing that was read
    [[nodiscard]] task<std::optional<std::string_view>> next();

private:
    [[nodiscard]] std::optional<std::string_view> take_line();
    [[nodiscard]] std::string_view take_rest();
    void drop_skipped() noexcept;
    void make_room();

    stream* source_;
    std::size_t limit_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;   // the first byte not yet given out
    std::size_t scanned_ = 0; // no end of line is between `begin_` and this
    std::size_t end_ = 0;     // one behind the last byte read
    bool skipping_ = false;   // the rest of a line that was too long
};

} // namespace coracle
