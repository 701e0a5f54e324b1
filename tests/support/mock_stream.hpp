// SPDX-License-Identifier: MIT
//
// mock_stream: a stream in memory, for tests of what reads and writes streams. It needs no kernel:
// pieces arrive when the test says so, and what is written is kept.
#pragma once

#include <algorithm>
#include <coracle/io/stream_concepts.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task.hpp>
#include <cstddef>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace coracle::test {

class mock_stream {
public:
    /// Bytes arrive. A read gives those of one call at most, so that the test chooses where reads
    /// are short.
    void arrive(std::string_view bytes) {
        if (!bytes.empty())
            pieces_.emplace_back(bytes);
        update();
    }

    /// The stream ends after what has arrived.
    void end() {
        ended_ = true;
        update();
    }

    /// Reads fail after what has arrived, and writes from now on.
    void fail(std::error_code error) {
        error_ = error;
        update();
    }

    /// How many reads were begun.
    [[nodiscard]] std::size_t reads() const noexcept { return reads_; }

    /// All that was written.
    [[nodiscard]] const std::string& written() const noexcept { return written_; }

    [[nodiscard]] task<std::size_t> read(std::span<std::byte> into) {
        ++reads_;
        co_await readable_.wait();
        if (!pieces_.empty())
            co_return take(into);
        if (error_)
            throw std::system_error(error_);
        co_return 0;
    }

    [[nodiscard]] task<> write(std::span<const std::byte> from) {
        if (error_)
            throw std::system_error(error_);
        written_.append(reinterpret_cast<const char*>(from.data()), from.size());
        co_return;
    }

private:
    void update() {
        if (!pieces_.empty() || ended_ || error_)
            readable_.set();
        else
            readable_.reset();
    }

    [[nodiscard]] std::size_t take(std::span<std::byte> into) {
        std::string& piece = pieces_.front();
        const std::size_t count = std::min(piece.size(), into.size());
        std::memcpy(into.data(), piece.data(), count);
        piece.erase(0, count);
        if (piece.empty())
            pieces_.pop_front();
        update();
        return count;
    }

    std::deque<std::string> pieces_; // none of them empty
    event readable_;                 // there is something to read, or there never will be
    bool ended_ = false;
    std::error_code error_;
    std::size_t reads_ = 0;
    std::string written_;
};

static_assert(readable_stream<mock_stream> && writable_stream<mock_stream>);

} // namespace coracle::test
