// SPDX-License-Identifier: MIT
#include "world.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace coracle::fuzz {

namespace {

constexpr std::size_t longest_text = 150'000;

std::byte byte_at(std::size_t offset) noexcept {
    return static_cast<std::byte>(offset * 7 + (offset >> 8) * 13 + 1);
}

std::vector<std::byte> text_of(std::size_t size) {
    std::vector<std::byte> text(size);
    for (std::size_t i = 0; i < size; ++i)
        text[i] = byte_at(i);
    return text;
}

/// Writes `text` in random pieces, one after the other, then ends the stream.
task<> send_text(tcp_stream& to, std::span<const std::byte> text, random choose) {
    while (!text.empty()) {
        const std::size_t size = std::min(text.size(), choose.size(text.size()));
        const std::span<const std::byte> piece = text.first(size);
        if (choose.one_in(3)) {
            const std::size_t cut = choose.below(size + 1);
            const std::array<const_buffer, 2> parts = {const_buffer(piece.first(cut)),
                                                       const_buffer(piece.subspan(cut))};
            co_await to.write(parts);
        } else {
            co_await to.write(piece);
        }
        text = text.subspan(size);
        if (choose.one_in(8))
            co_await yield();
    }
    to.shutdown(shutdown_direction::write);
}

/// Checks that what is read is what was sent, without a gap.
class checker {
public:
    void take(std::span<const std::byte> bytes) {
        for (const std::byte each : bytes)
            require(each == byte_at(offset_++), "a text was changed, or a part of it is missing");
    }

    [[nodiscard]] std::size_t offset() const noexcept { return offset_; }

private:
    std::size_t offset_ = 0;
};

using bytes = std::vector<std::byte>;

task<std::size_t> read_once(tcp_stream& from, checker& seen, std::size_t left, random& choose) {
    bytes into(choose.size(20'000));
    if (choose.one_in(4) && left > 0) {
        into.resize(std::min(left, into.size()));
        const std::size_t count = co_await from.read_exactly(into);
        require(count == into.size(), "an exact read gave less");
        seen.take(into);
        co_return count;
    }
    std::size_t count = 0;
    if (choose.one_in(3)) {
        const std::size_t cut = choose.below(into.size() + 1);
        const std::array<mutable_buffer, 2> parts = {
            mutable_buffer(into.data(), cut), mutable_buffer(into.data() + cut, into.size() - cut)};
        count = co_await from.read(parts);
    } else {
        count = co_await from.read(into);
    }
    seen.take(std::span(into).first(count));
    co_return count;
}

/// A few times as they come, in buffers of a pool. Nothing is lost where it stops, nor by the
/// time-outs in between.
task<bool> receive_some(tcp_stream& from, checker& seen, buffer_pool& pool, random& choose) {
    multishot_receive incoming = from.receive_many(pool);
    for (std::size_t i = choose.between(1, 5); i > 0; --i) {
        auto received = choose.one_in(3)
                            ? as_result(with_timeout(choose.time(), incoming.next()))
                            : as_result(with_timeout(std::chrono::seconds(20), incoming.next()));
        const result<buffer_lease> piece = co_await std::move(received);
        if (piece && !*piece)
            co_return false;
        if (piece)
            seen.take(std::span<const std::byte>(piece->data(), piece->size()));
        else if (piece.error() != std::errc::timed_out)
            throw std::system_error(piece.error());
    }
    co_return true;
}

task<> receive_text(tcp_stream& from, std::size_t size, buffer_pool& pool, random choose) {
    checker seen;
    for (;;) {
        bool more = true;
        if (choose.one_in(3)) {
            more = co_await receive_some(from, seen, pool, choose);
        } else {
            const std::size_t left = size - seen.offset();
            const std::size_t count = co_await read_once(from, seen, left, choose);
            more = count > 0;
        }
        if (!more)
            break;
    }
    require(seen.offset() == size, "the end of a stream came before its last byte");
}

} // namespace

task<> exchange(world&, random choose) {
    buffer_pool pool(choose.between(1, 8), std::size_t{64} << choose.below(8));
    link own = co_await make_link(choose);
    const std::vector<std::byte> text = text_of(choose.size(longest_text));
    co_await when_all(send_text(own.ends[0], text, choose.fork()),
                      receive_text(own.ends[1], text.size(), pool, choose.fork()));
}

task<> short_lived_pool(random choose) {
    const std::size_t times = choose.between(1, 3);
    for (std::size_t i = 0; i < times; ++i) {
        buffer_pool pool(choose.between(1, 6), std::size_t{64} << choose.below(6));
        link own = co_await make_link(choose);
        const std::byte value = static_cast<std::byte>(choose.between(1, 255));
        const bytes sent(choose.size(30'000), value);
        auto write = [&]() -> task<> { co_await own.ends[0].write(sent); };
        auto receive = [&]() -> task<> {
            multishot_receive incoming = own.ends[1].receive_many(pool);
            for (std::size_t left = choose.below(4); left > 0; --left) {
                const buffer_lease piece = co_await incoming.next();
                require_value(std::span<const std::byte>(piece.data(), piece.size()), value);
            }
            if (choose.one_in(4))
                own.ends[1].close();
        };
        // The writer may wait for a reader that has gone.
        co_await when_any(write(), receive());
        if (choose.one_in(3))
            own.ends[choose.below(2)].close();
        if (choose.one_in(3))
            co_await yield();
    }
}

} // namespace coracle::fuzz
