// SPDX-License-Identifier: MIT
//
// line_reader: lines of text from a stream, of bounded length.
#pragma once

#include "../runtime/task.hpp"
#include "line_buffer.hpp"
#include "stream_concepts.hpp"
#include <cstddef>
#include <optional>
#include <string_view>

namespace coracle {

/// Works over any stream: `line_reader lines(peer);`, and as a member `line_reader<tcp_stream>`.
template <readable_stream Stream>
class line_reader {
public:
    /// Reads from `source`, which must outlive it. A line may have `limit` bytes, its end not
    /// counted. Its buffer grows as lines need it, to little more than the limit.
    explicit line_reader(Stream& source, std::size_t limit = 4096) noexcept
        : source_(&source), lines_(limit) {}

    /// The next line without its end, LF or CRLF; nullopt at the end of the stream, before which
    /// an unfinished last line counts. The text is valid until the next call.
    ///
    /// errors   as read. error::line_too_long, once for each line that is: the next call skips the
    ///          rest of it and goes on with the line after. Cancelling loses nothing that was read
    /// cost     one frame, and what a read of the stream costs if the line is not there yet
    [[nodiscard]] task<std::optional<std::string_view>> next() {
        for (;;) {
            const std::optional<std::string_view> line = lines_.take_line();
            if (line)
                co_return line;
            const std::size_t count = co_await source_->read(lines_.free_space());
            if (count == 0)
                co_return lines_.take_rest();
            lines_.add(count);
        }
    }

private:
    Stream* source_;
    detail::line_buffer lines_;
};

} // namespace coracle
