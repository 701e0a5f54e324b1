// SPDX-License-Identifier: MIT
//
// A gibibyte in odd pieces, both ways at once, and verified byte by byte.

#include "clean_run.hpp"
#include "connected.hpp"
#include "instrumented.hpp"

#include <algorithm>
#include <coracle/coracle.hpp>
#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

/// Bytes whose place in the stream follows from their value: a prime number of random ones, over
/// and over, so that no piece lines up with a power of two.
class pattern {
public:
    explicit pattern(unsigned seed) : bytes_(period + largest_piece) {
        std::mt19937_64 random(seed);
        for (std::size_t i = 0; i < period; ++i)
            bytes_[i] = static_cast<char>(random());
        for (std::size_t i = period; i < bytes_.size(); ++i)
            bytes_[i] = bytes_[i - period];
    }

    /// The bytes from that place on.
    std::string_view at(std::size_t place, std::size_t size) const {
        return std::string_view(bytes_.data() + place % period, size);
    }

    static constexpr std::size_t period = 1'000'003;
    static constexpr std::size_t largest_piece = 300'007;

private:
    std::vector<char> bytes_;
};

task<> send_all(stream& to, const pattern& content, std::size_t total, unsigned seed) {
    std::minstd_rand random(seed);
    for (std::size_t sent = 0; sent < total;) {
        const std::size_t size =
            std::min<std::size_t>(1 + random() % pattern::largest_piece, total - sent);
        const std::string_view piece = content.at(sent, size);
        if (random() % 3 == 0) {
            const std::array parts = {const_buffer(piece.substr(0, size / 7)),
                                      const_buffer(piece.substr(size / 7))};
            co_await to.write(std::span<const const_buffer>(parts));
        } else {
            co_await to.write(piece);
        }
        sent += size;
    }
    to.shutdown(shutdown_direction::write);
}

task<> receive_all(stream& from, const pattern& content, std::size_t total, unsigned seed) {
    std::minstd_rand random(seed);
    std::vector<char> buffer(pattern::largest_piece);
    std::size_t received = 0;
    for (;;) {
        const std::size_t size = 2 + random() % (pattern::largest_piece - 1);
        std::size_t count = 0;
        if (random() % 3 == 0) {
            const std::array parts = {mutable_buffer(buffer.data(), size / 5),
                                      mutable_buffer(buffer.data() + size / 5, size - size / 5)};
            count = co_await from.read(std::span<const mutable_buffer>(parts));
        } else {
            count = co_await from.read(mutable_buffer(buffer.data(), size));
        }
        if (count == 0)
            break;
        REQUIRE(std::memcmp(buffer.data(), content.at(received, count).data(), count) == 0);
        received += count;
    }
    CHECK(received == total);
}

} // namespace

TEST_CASE("bulk: a gibibyte each way in odd pieces arrives as it was sent") {
    run_clean([]() -> task<> {
        std::size_t total = std::size_t{1} << 30;
        const char* slow = instrumented ? why_instrumented : nullptr;
        if (context::current().backend_name() == "rio")
            slow = "the double of registered I/O goes from thread to thread";
        if (slow) {
            total >>= 5;
            MESSAGE("32 MiB instead of 1 GiB each way, because " << std::string(slow));
        }
        connection ends = co_await connect_ends();
        const pattern there(1);
        const pattern back(2);
        co_await when_all(
            send_all(ends.here, there, total, 11), receive_all(ends.there, there, total, 12),
            send_all(ends.there, back, total - 1, 13), receive_all(ends.here, back, total - 1, 14));
    });
}
