// SPDX-License-Identifier: MIT
//
// Lines from a stream of somebody else, whose read is a task: it ends, fails and waits wherever the
// test wants. line_reader_test does what it can over a tcp_stream.

#include "child_process.hpp"
#include "mock_stream.hpp"
#include "virtual_loop.hpp"

#include <coracle/io/error.hpp>
#include <coracle/io/line_reader.hpp>
#include <coracle/runtime/timeout.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

constexpr std::string_view too_long = "<too long>";

/// All lines, with a word in the place of each that is too long.
task<texts> read_lines(mock_stream& from, std::size_t limit) {
    line_reader reader(from, limit);
    texts lines;
    for (;;) {
        const auto line = co_await as_result(reader.next());
        if (!line) {
            if (line.error() != error::line_too_long)
                throw std::system_error(line.error());
            lines.emplace_back(too_long);
        } else if (!line->has_value()) {
            co_return lines;
        } else {
            lines.emplace_back(**line);
        }
    }
}

/// Checks what comes of `text` in three pieces, whichever these are.
void check_every_split(virtual_loop& on, std::string_view text, std::size_t limit,
                       const texts& expected) {
    for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
            mock_stream stream;
            stream.arrive(text.substr(0, first));
            stream.arrive(text.substr(first, second - first));
            stream.arrive(text.substr(second));
            stream.end();
            const texts lines = on.run([&] { return read_lines(stream, limit); });
            CAPTURE(first);
            CAPTURE(second);
            CHECK(lines == expected);
        }
    }
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "line_reader: lines split over reads at every position") {
    check_every_split(*this, "one\r\n\ntwo\n\r\na\rb\r\r\nno end", 20,
                      {"one", "", "two", "", "a\rb\r", "no end"});
    check_every_split(*this, "one\r\nends with half an end\r", 30,
                      {"one", "ends with half an end"});
}

TEST_CASE_FIXTURE(virtual_loop, "line_reader: the limit, with the line split at every position") {
    check_every_split(*this, "12345\r\n123456\r\n12345\n123456", 5,
                      {"12345", std::string(too_long), "12345", std::string(too_long)});
}

TEST_CASE_FIXTURE(virtual_loop, "line_reader: lines that are there already cost no read") {
    mock_stream stream;
    stream.arrive("one\ntwo\r\nthree\nfo");
    run([&]() -> task<> {
        line_reader lines(stream);
        for (const char* const expected : {"one", "two", "three"}) {
            const auto line = co_await lines.next();
            CHECK(line.value_or("nothing") == expected);
        }
        CHECK(stream.reads() == 1);
        stream.arrive("ur\n");
        const auto line = co_await lines.next();
        CHECK(line.value_or("nothing") == "four");
        CHECK(stream.reads() == 2);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "line_reader: the end in the middle of a line, and ever after") {
    mock_stream stream;
    stream.arrive("one\nhalf a li");
    stream.end();
    run([&]() -> task<> {
        line_reader lines(stream);
        for (const char* const expected : {"one", "half a li"}) {
            const auto line = co_await lines.next();
            CHECK(line.value_or("nothing") == expected);
        }
        for (int i = 0; i < 3; ++i) {
            const auto end = co_await lines.next();
            CHECK_FALSE(end.has_value());
        }
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "line_reader: an error in the middle of a line comes after what is whole") {
    mock_stream stream;
    stream.arrive("one\nhalf a li");
    stream.fail(std::make_error_code(std::errc::connection_reset));
    run([&]() -> task<> {
        line_reader lines(stream);
        const auto line = co_await lines.next();
        CHECK(line.value_or("nothing") == "one");
        for (int i = 0; i < 3; ++i) {
            const auto failed = co_await as_result(lines.next());
            CHECK(failed.error() == std::errc::connection_reset);
        }
    });
}

TEST_CASE_FIXTURE(virtual_loop, "line_reader: a time-out in the middle of a line loses nothing") {
    mock_stream stream;
    run([&]() -> task<> {
        line_reader lines(stream, 20);
        const time_point start = now();
        for (const std::string_view piece : {"first ", "second ", "third"}) {
            stream.arrive(piece);
            const auto line = co_await as_result(with_timeout(2ms, lines.next()));
            CHECK(line.error() == std::errc::timed_out);
        }
        CHECK(now() == start + 6ms);
        stream.arrive("\r\nnext\n");
        for (const char* const expected : {"first second third", "next"}) {
            const auto line = co_await with_timeout(2ms, lines.next());
            CHECK(line.value_or("nothing") == expected);
        }
        CHECK(now() == start + 6ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "line_reader: a time-out while it skips a line goes on skipping") {
    mock_stream stream;
    run([&]() -> task<> {
        line_reader lines(stream, 5);
        stream.arrive("123456");
        const auto error_once = co_await as_result(lines.next());
        CHECK(error_once.error() == error::line_too_long);
        for (int i = 0; i < 3; ++i) {
            stream.arrive("789");
            const auto line = co_await as_result(with_timeout(2ms, lines.next()));
            CHECK(line.error() == std::errc::timed_out);
        }
        stream.arrive("0\nok\n");
        const auto line = co_await lines.next();
        CHECK(line.value_or("nothing") == "ok");
    });
}

TEST_CASE("line_reader: a read that gives more bytes than there was space for stops the program") {
    struct boastful_stream {
        task<std::size_t> read(std::span<std::byte> into) { co_return into.size() + 1; }
    };

    const child_outcome outcome = in_child_process([] {
        virtual_clock clock;
        loop here(clock);
        boastful_stream stream;
        line_reader lines(stream);
        here.run(lines.next());
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a stream's read gave more bytes than it was given space for"));
}
