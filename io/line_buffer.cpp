// SPDX-License-Identifier: MIT
#include "line_buffer.hpp"

#include "../memory/fatal.hpp"
#include "error.hpp"
#include <algorithm>
#include <cstring>
#include <system_error>

namespace coracle::detail {

namespace {

constexpr std::size_t first_size = 256;
constexpr std::size_t largest_limit = std::size_t{1} << 40; // so that doubling cannot overflow

std::string_view without_carriage_return(const char* data, std::size_t size) noexcept {
    const std::string_view line(data, size);
    return line.ends_with('\r') ? line.substr(0, size - 1) : line;
}

} // namespace

line_buffer::line_buffer(std::size_t limit) noexcept : limit_(std::min(limit, largest_limit)) {}

/// The first LF that was not seen yet, or null.
const char* line_buffer::find_end() const noexcept {
    if (scanned_ == end_)
        return nullptr;
    const void* const found = std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_);
    return static_cast<const char*>(found);
}

std::optional<std::string_view> line_buffer::take_line() {
    if (skipping_)
        drop_skipped();
    const char* const from = buffer_.data() + begin_;
    const char* const found = find_end();
    const std::size_t size = found ? static_cast<std::size_t>(found - from) : end_ - begin_;
    // One byte more than the limit may be the CR of a CRLF that is not complete.
    const std::string_view line = without_carriage_return(from, size);
    if (line.size() > limit_) {
        skipping_ = true;
        throw std::system_error(error::line_too_long);
    }
    scanned_ = begin_ + size;
    if (!found)
        return std::nullopt;
    begin_ = scanned_ += 1;
    return line;
}

std::optional<std::string_view> line_buffer::take_rest() noexcept {
    if (begin_ == end_)
        return std::nullopt;
    const std::string_view line = without_carriage_return(buffer_.data() + begin_, end_ - begin_);
    begin_ = scanned_ = end_;
    return line;
}

void line_buffer::drop_skipped() noexcept {
    const char* const found = find_end();
    if (found) {
        skipping_ = false;
        begin_ = static_cast<std::size_t>(found - buffer_.data()) + 1;
    } else {
        begin_ = end_;
    }
    scanned_ = begin_;
}

/// Moves what is there to the front, or grows if it is there already.
std::span<std::byte> line_buffer::free_space() {
    if (begin_ > 0) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        scanned_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_.size())
        buffer_.resize(std::max(first_size, std::min(2 * buffer_.size(), limit_ + 2)));
    return std::as_writable_bytes(std::span(buffer_)).subspan(end_);
}

void line_buffer::add(std::size_t count) noexcept {
    if (count > buffer_.size() - end_)
        fatal("a stream's read gave more bytes than it was given space for");
    end_ += count;
}

} // namespace coracle::detail
