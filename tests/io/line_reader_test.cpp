// SPDX-License-Identifier: MIT
//
// Lines from a stream: every kind of end, the limit, and cancellation in the middle of a line.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view too_long = "<too long>";

/// All lines, with a word in the place of each that is too long.
task<std::vector<std::string>> read_lines(stream& from, std::size_t limit) {
    line_reader reader(from, limit);
    std::vector<std::string> lines;
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

/// What a reader makes of `text`, sent in pieces of that many bytes, of which each is read alone.
std::vector<std::string> lines_of(std::string_view text, std::size_t limit, std::size_t piece) {
    std::vector<std::string> lines;
    run_clean([&]() -> task<> {
        connection ends = co_await connect_ends();
        auto sending = [&]() -> task<> {
            for (std::size_t at = 0; at < text.size(); at += piece) {
                send_raw(ends.there, text.substr(at, piece));
                if (piece < text.size())
                    co_await iterations(2);
            }
            ends.there.close();
        };
        auto both = co_await when_all(read_lines(ends.here, limit), sending());
        lines = std::get<0>(std::move(both));
    });
    return lines;
}

using texts = std::vector<std::string>;

/// Tells the same of lines whatever the pieces in which they come.
void check_lines(std::string_view text, std::size_t limit, const texts& expected) {
    CAPTURE(text);
    CAPTURE(limit);
    for (const std::size_t piece : {text.size() + 1, std::size_t{1}, std::size_t{3}}) {
        CAPTURE(piece);
        CHECK(lines_of(text, limit, piece) == expected);
    }
}

} // namespace

TEST_CASE("line_reader: every kind of end") {
    check_lines("", 10, {});
    check_lines("one\ntwo\nthree\n", 10, {"one", "two", "three"});
    check_lines("one\r\ntwo\r\n", 10, {"one", "two"});
    check_lines("one\r\ntwo\nthree\r\n", 10, {"one", "two", "three"});
    check_lines("\n\r\n\n", 10, {"", "", ""});
    check_lines("no end", 10, {"no end"});
    check_lines("one\nno end", 10, {"one", "no end"});
    check_lines("a\rb\n\rc\n", 10, {"a\rb", "\rc"});
    check_lines("two\r\r\n", 10, {"two\r"});
    check_lines(std::string_view("a\0b\n\0\n", 6), 10,
                {std::string("a\0b", 3), std::string(1, '\0')});
}

TEST_CASE("line_reader: the limit exactly, and one more") {
    check_lines("12345\n12345\r\n", 5, {"12345", "12345"});
    check_lines("123456\n12345\n", 5, {std::string(too_long), "12345"});
    check_lines("123456\r\n12345\r\n", 5, {std::string(too_long), "12345"});
    check_lines("12345\rx\nok\n", 5, {std::string(too_long), "ok"});
    check_lines("12345", 5, {"12345"});
    check_lines("123456", 5, {std::string(too_long)});
    check_lines("1234567890123456789\nok\n123456\nlast", 5,
                {std::string(too_long), "ok", std::string(too_long), "last"});
    check_lines("\n\n", 0, {"", ""});
    check_lines("1\n\r\n", 0, {std::string(too_long), ""});
}

TEST_CASE("line_reader: limits around the sizes of its buffer") {
    for (const std::size_t limit : {254U, 255U, 256U, 257U, 511U, 512U, 4096U}) {
        const std::string exact(limit, 'x');
        const std::string text = exact + "\r\n" + exact + "y\r\n" + exact + "\n" + exact;
        CAPTURE(limit);
        CHECK(lines_of(text, limit, text.size()) ==
              texts{exact, std::string(too_long), exact, exact});
        CHECK(lines_of(text, limit, 97) == texts{exact, std::string(too_long), exact, exact});
    }
}

TEST_CASE("line_reader: many lines in one read, and lines across reads") {
    std::string text;
    texts expected;
    std::mt19937 random(7);
    for (int i = 0; i < 2000; ++i) {
        expected.emplace_back(random() % 90, static_cast<char>('a' + i % 26));
        text += expected.back() + (random() % 2 == 0 ? "\n" : "\r\n");
    }
    CHECK(lines_of(text, 100, text.size()) == expected);
    CHECK(lines_of(text, 100, 1013) == expected);
}

TEST_CASE("line_reader: ten million bytes without an end cost one error and little memory") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string endless(10'000'000, 'x');
        auto sending = [&]() -> task<> {
            co_await ends.there.write(endless);
            co_await ends.there.write("\nnext\n"sv);
            ends.there.close();
        };
        auto both = co_await when_all(read_lines(ends.here, 512), sending());
        CHECK(std::get<0>(both) == texts{std::string(too_long), "next"});
    });
}

TEST_CASE("line_reader: garbage is only lines") {
    std::mt19937 random(99);
    std::string garbage(100'000, '\0');
    for (char& byte : garbage)
        byte = static_cast<char>(random());
    texts expected;
    std::string rest = garbage + "\n";
    for (std::size_t at = 0; at < rest.size();) {
        const std::size_t end = rest.find('\n', at);
        std::string line = rest.substr(at, end - at);
        if (line.ends_with('\r'))
            line.pop_back();
        expected.push_back(line.size() > 600 ? std::string(too_long) : line);
        at = end + 1;
    }
    CHECK(lines_of(rest, 600, 4099) == expected);
}

TEST_CASE("line_reader: cancelled in the middle of a line it goes on without loss") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        line_reader reader(ends.here, 100);
        std::string whole;
        for (const std::string_view piece : {"first ", "second ", "third"}) {
            send_raw(ends.there, piece);
            whole += piece;
            const auto line = co_await as_result(with_timeout(2ms, reader.next()));
            CHECK(line.error() == std::errc::timed_out);
            const auto again = co_await cancel_at(moment::while_pending, reader.next());
            CHECK(again.error() == std::errc::operation_canceled);
        }
        send_raw(ends.there, "\nnext\n");
        const auto line = co_await reader.next();
        CHECK(line == std::string_view(whole));
        const auto next = co_await reader.next();
        CHECK(next == std::string_view("next"));
    });
}

TEST_CASE("line_reader: cancelled while it skips a line it goes on skipping") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        line_reader reader(ends.here, 5);
        send_raw(ends.there, "123456");
        const auto error_once = co_await as_result(reader.next());
        CHECK(error_once.error() == error::line_too_long);
        for (int i = 0; i < 3; ++i) {
            send_raw(ends.there, "789");
            const auto line = co_await cancel_at(moment::while_pending, reader.next());
            CHECK(line.error() == std::errc::operation_canceled);
        }
        send_raw(ends.there, "0\nok\n");
        const auto line = co_await reader.next();
        CHECK(line == std::string_view("ok"));
    });
}

TEST_CASE("line_reader: a reset goes through, and the end stays the end") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        line_reader reader(ends.here, 100);
        send_raw(ends.there, "half a li");
        ends.there.close();
        const auto rest = co_await reader.next();
        CHECK(rest == std::string_view("half a li"));
        for (int i = 0; i < 3; ++i) {
            const auto end = co_await reader.next();
            CHECK_FALSE(end.has_value());
        }

        connection more = co_await connect_ends();
        line_reader broken(more.here, 100);
        reset(more.there);
        const auto line = co_await as_result(broken.next());
        CHECK(line.error() == std::errc::connection_reset);
    });
}
