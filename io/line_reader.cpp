// SPDX-License-Identifier: MIT
#include "line_reader.hpp"

#include "error.hpp"
#include <algorithm>
#include <cstring>

namespace coracle {

namespace {

constexpr std::size_t first_size = 256;
constexpr std::size_t largest_limit = std::size_t{1} << 40; // so that doubling cannot overflow

std::string_view without_carriage_return(const char* data, std::size_t size) noexcept {
    const std::string_view line(data, size);
    return line.ends_with('\r') ? line.substr(0, size - 1) : line;
}

} // namespace

line_reader::line_reader(stream& source, std::size_t limit)
    : source_(&source), limit_(std::min(limit, largest_limit)) {}

task<std::optional<std::string_view>> line_reader::next() {
    for (;;) {
        if (skipping_)
            drop_skipped();
        const std::optional<std::string_view> line = take_line();
        if (line)
            co_return line;
        make_room();
        const std::size_t count =
            co_await source_->read(mutable_buffer(buffer_.data() + end_, buffer_.size() - end_));
        end_ += count;
        if (count == 0) {
            if (skipping_ || begin_ == end_)
                co_return std::nullopt;
            co_return take_rest();
        }
    }
}

/// The line at the front, if all of it is there. Throws if it is too long, whether or not its end
/// is.
std::optional<std::string_view> line_reader::take_line() {
    const char* const from = buffer_.data() + begin_;
    const void* const found =
        end_ > scanned_ ? std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_) : nullptr;
    const std::size_t size =
        found ? static_cast<std::size_t>(static_cast<const char*>(found) - from) : end_ - begin_;
    // One byte more may be the CR of an end that has not come yet.
    const std::string_view line = without_carriage_return(from, size);
    if (!skipping_ && line.size() > limit_) {
        skipping_ = true;
        throw std::system_error(error::line_too_long);
    }
    scanned_ = begin_ + size;
    if (!found)
        return std::nullopt;
    begin_ = scanned_ += 1;
    return line;
}

std::string_view line_reader::take_rest() {
    const std::string_view line = without_carriage_return(buffer_.data() + begin_, end_ - begin_);
    begin_ = scanned_ = end_;
    return line;
}

void line_reader::drop_skipped() noexcept {
    const void* const found =
        end_ > scanned_ ? std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_) : nullptr;
    if (found) {
        skipping_ = false;
        begin_ = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()) + 1;
    } else {
        begin_ = end_;
    }
    scanned_ = begin_;
}

/// The free part of the buffer, behind what is there: moves that to the front, or makes the buffer
/// larger.
void line_reader::make_room() {
    if (begin_ > 0) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        scanned_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_.size())
        buffer_.resize(std::max(first_size, std::min(2 * buffer_.size(), limit_ + 2)));
}

} // namespace coracle
