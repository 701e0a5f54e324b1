// SPDX-License-Identifier: MIT
//
// What is a stream and what is none, and the stream that docs/adapting.md shows.

#include "clean_run.hpp"
#include "connected.hpp"
#include "frames.hpp"
#include "mock_stream.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <coroutine>
#include <cstddef>
#include <span>
#include <string_view>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

// --- What is a stream -------------------------------------------------------------------------

static_assert(readable_stream<stream> && writable_stream<stream>);
static_assert(readable_stream<tcp_stream> && writable_stream<tcp_stream>);
static_assert(readable_stream<mock_stream> && writable_stream<mock_stream>);

/// An awaiter that another library could have made.
template <class Result>
struct foreign_awaiter {
    [[nodiscard]] bool await_ready() const;
    void await_suspend(std::coroutine_handle<> awaiting) const;
    [[nodiscard]] Result await_resume() const;
};

struct foreign_stream {
    foreign_awaiter<std::size_t> read(std::span<std::byte> into);
    foreign_awaiter<void> write(std::span<const std::byte> from);
};

struct one_way_in {
    task<std::size_t> read(std::span<std::byte> into);
};

struct one_way_out {
    task<> write(const_buffer from);
};

static_assert(readable_stream<foreign_stream> && writable_stream<foreign_stream>);
static_assert(readable_stream<one_way_in> && !writable_stream<one_way_in>);
static_assert(!readable_stream<one_way_out> && writable_stream<one_way_out>);

// --- What is none -----------------------------------------------------------------------------

struct does_not_wait {
    std::size_t read(std::span<std::byte> into);
    void write(std::span<const std::byte> from);
};

struct counts_otherwise {
    task<int> read(std::span<std::byte> into);
    task<std::size_t> write(std::span<const std::byte> from); // may be less than all
};

struct reads_characters {
    task<std::size_t> read(std::span<char> into);
    task<> write(std::span<std::byte> from);
};

static_assert(!readable_stream<does_not_wait> && !writable_stream<does_not_wait>);
static_assert(!readable_stream<counts_otherwise> && !writable_stream<counts_otherwise>);
static_assert(!readable_stream<reads_characters> && !writable_stream<reads_characters>);
static_assert(!readable_stream<const tcp_stream> && !writable_stream<const tcp_stream>);
static_assert(!readable_stream<tcp_listener> && !readable_stream<int>);

// --- That of docs/adapting.md -----------------------------------------------------------------

template <readable_stream Stream>
class counted_stream {
public:
    explicit counted_stream(Stream& inner) noexcept : inner_(&inner) {}

    task<std::size_t> read(std::span<std::byte> into) {
        const std::size_t count = co_await inner_->read(into);
        received_ += count;
        co_return count;
    }

    auto write(std::span<const std::byte> from)
        requires writable_stream<Stream>
    {
        return inner_->write(from);
    }

    std::size_t received() const noexcept { return received_; }

private:
    Stream* inner_;
    std::size_t received_ = 0;
};

template <writable_stream Stream>
task<> write_line(Stream& to, std::string_view line) {
    co_await to.write(std::as_bytes(std::span(line)));
    co_await to.write(std::as_bytes(std::span("\r\n"sv)));
}

} // namespace

TEST_CASE("stream_concepts: lines over a stream over a stream") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        counted_stream counted(ends.here);
        line_reader lines(counted);
        co_await write_line(ends.there, "one");
        co_await write_line(ends.there, "two");
        ends.there.shutdown(shutdown_direction::write);
        for (const char* const expected : {"one", "two"}) {
            const auto line = co_await lines.next();
            CHECK(line.value_or("nothing") == expected);
        }
        const auto end = co_await lines.next();
        CHECK_FALSE(end.has_value());
        CHECK(counted.received() == 10);

        co_await write_line(counted, "back");
        counted_stream twice(counted); // counts nothing: it only writes
        co_await write_line(twice, "again");
        ends.here.close();
        const std::string answer = co_await read_text(ends.there, 100);
        CHECK(answer == "back\r\nagain\r\n");
    });
}

namespace {

/// The frames that a job has while it waits in what `begin` gives.
template <class Begin>
task<std::size_t> frames_while_waiting(Begin begin) {
    std::size_t frames = 0;
    auto waiting = [&]() -> task<> { static_cast<void>(co_await begin()); };
    auto body = [&](task_group& group) -> task<> {
        const std::size_t before = usage().live_frames;
        group.start(waiting);
        co_await iterations();
        frames = usage().live_frames - before;
        group.cancel();
    };
    co_await with_task_group(body);
    co_return frames;
}

} // namespace

TEST_CASE("stream_concepts: a line over a tcp_stream takes one frame, its own") {
    if (!pool_is_on)
        return; // which counts them
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::array<std::byte, 16> buffer;
        auto read = [&] { return ends.here.read(buffer); };
        const std::size_t reading = co_await frames_while_waiting(read);

        line_reader lines(ends.here);
        auto next = [&] { return lines.next(); };
        const std::size_t reading_line = co_await frames_while_waiting(next);
        CHECK(reading_line == reading + 1);

        counted_stream counted(ends.here);
        line_reader counted_lines(counted);
        auto next_counted = [&] { return counted_lines.next(); };
        const std::size_t reading_counted = co_await frames_while_waiting(next_counted);
        CHECK(reading_counted == reading + 2); // that of counted_stream::read too
    });
}
