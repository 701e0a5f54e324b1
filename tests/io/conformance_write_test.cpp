// SPDX-License-Identifier: MIT
//
// Conformance of the writes: write and the gathered write. What both promise is tested for both.

#include "clean_run.hpp"
#include "connected.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

struct plain_write {
    static task<> run(stream& to, std::string_view from) { co_await to.write(from); }
};

struct gathered_write {
    static task<> run(stream& to, std::string_view from) {
        const std::size_t third = from.size() / 3;
        const std::array parts = {const_buffer(from.substr(0, third)), const_buffer(),
                                  const_buffer(from.substr(third))};
        co_await to.write(std::span<const const_buffer>(parts));
    }
};

/// Text in which each place tells where it is, so that what is lost or mixed up is seen.
std::string numbered_text(std::size_t size, char mark) {
    std::string text(size, mark);
    for (std::size_t i = 0; i + 8 <= size; i += 8)
        std::snprintf(text.data() + i, 8, "%c%06zu", mark, i / 8 % 1'000'000);
    return text;
}

/// Reads and drops until the stream ends or breaks; gives the number of bytes.
task<std::size_t> drain(stream& from) {
    std::vector<char> buffer(65536);
    std::size_t all = 0;
    for (;;) {
        const auto count = co_await as_result(from.read(buffer));
        if (!count || *count == 0)
            co_return all;
        all += *count;
    }
}

} // namespace

#define ALL_WRITES plain_write, gathered_write

TEST_CASE_TEMPLATE("write: arrives", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        co_await Write::run(ends.here, "seven b");
        const std::string text = co_await read_text(ends.there, 7);
        CHECK(text == "seven b");
    });
}

TEST_CASE_TEMPLATE("write: waits until all of it fits", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text = numbered_text(too_much / 4, 'n');
        bool written = false;
        auto writing = [&]() -> task<> {
            co_await Write::run(ends.here, text);
            written = true;
        };
        auto reading = [&]() -> task<std::string> {
            co_await iterations();
            CHECK_FALSE(written);
            co_return co_await read_text(ends.there, text.size());
        };
        auto both = co_await when_all(writing(), reading());
        CHECK(written);
        CHECK((std::get<1>(both) == text));
    });
}

TEST_CASE_TEMPLATE("write: to a closed stream fails at once", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        tcp_stream closed;
        const auto done = co_await as_result(Write::run(closed, "text"));
        CHECK(done.error() == std::errc::bad_file_descriptor);
    });
}

TEST_CASE_TEMPLATE("write: of nothing is done at once, in any state of the peer", Write,
                   ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        co_await Write::run(ends.here, "");
        reset(ends.there);
        co_await Write::run(ends.here, "");
    });
}

TEST_CASE_TEMPLATE("write: to a peer that is gone is an error and no signal", Write, ALL_WRITES) {
    let_broken_pipes_kill();
    run_clean([]() -> task<> {
        for (const bool by_reset : {false, true}) {
            CAPTURE(by_reset);
            connection ends = co_await connect_ends();
            if (by_reset)
                reset(ends.there);
            else
                ends.there.close();
            std::error_code error;
            for (int i = 0; i < 100 && !error; ++i) { // the first may go before the answer comes
                const auto done = co_await as_result(Write::run(ends.here, "text"));
                error = done.error();
            }
            CHECK(error == std::errc::connection_reset);
            const auto again = co_await as_result(Write::run(ends.here, "text"));
            CHECK(again.error() == std::errc::connection_reset);
        }
    });
}

TEST_CASE_TEMPLATE("write: a reset in its middle ends it", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text(too_much, 'x');
        auto breaking = [&]() -> task<> {
            co_await iterations();
            reset(ends.there);
        };
        auto both = co_await when_all(result_of_task(Write::run(ends.here, text)), breaking());
        CHECK(std::get<0>(both).error() == std::errc::connection_reset);
        const auto again = co_await as_result(Write::run(ends.here, "text"));
        CHECK(again.error() == std::errc::connection_reset);
    });
}

TEST_CASE_TEMPLATE("write: cancelled before its start it sends nothing", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const auto done = co_await cancel_at(moment::before_start, Write::run(ends.here, "never"));
        CHECK(done.error() == std::errc::operation_canceled);
        co_await Write::run(ends.here, "after");
        ends.here.close();
        const std::string text = co_await read_text(ends.there, 100);
        CHECK(text == "after");
    });
}

TEST_CASE_TEMPLATE("write: cancelled in its middle it spoils the stream for later writes", Write,
                   ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text = numbered_text(too_much, 'c');
        const auto done = co_await cancel_at(moment::while_pending, Write::run(ends.here, text));
        CHECK(done.error() == std::errc::operation_canceled);
        for (int i = 0; i < 2; ++i) {
            const auto next = co_await as_result(Write::run(ends.here, "after"));
            CHECK(next.error() == error::write_cut_short);
        }
        co_await ends.there.write("other way"sv);
        const std::string answer = co_await read_text(ends.here, 9);
        CHECK(answer == "other way"); // reading is not concerned
        ends.here.close();
        const std::string received = co_await read_text(ends.there, too_much);
        CHECK(received.size() > 0);
        CHECK(received.size() < too_much);
        CHECK((received == text.substr(0, received.size())));
    });
}

TEST_CASE_TEMPLATE("write: cancelled while it waits for its turn it sends nothing", Write,
                   ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text = numbered_text(too_much / 4, 'w');
        auto cancelling = [&]() -> task<> {
            co_await iterations();
            const auto done =
                co_await cancel_at(moment::while_pending, Write::run(ends.here, "never"));
            CHECK(done.error() == std::errc::operation_canceled);
            const std::string received = co_await read_text(ends.there, text.size());
            CHECK((received == text));
        };
        co_await when_all(Write::run(ends.here, text), cancelling());
        co_await Write::run(ends.here, "after");
        const std::string next = co_await read_text(ends.there, 5);
        CHECK(next == "after");
    });
}

TEST_CASE_TEMPLATE("write: times out", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text(too_much, 'x');
        const auto done = co_await as_result(with_timeout(20ms, Write::run(ends.here, text)));
        CHECK(done.error() == std::errc::timed_out);
    });
}

TEST_CASE_TEMPLATE("write: after the own half is shut is a broken pipe", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        ends.here.shutdown(shutdown_direction::write);
        const auto done = co_await as_result(Write::run(ends.here, "text"));
        CHECK(done.error() == std::errc::broken_pipe);
    });
}

TEST_CASE_TEMPLATE("write: goes on after the peer has shut its half", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        ends.there.shutdown(shutdown_direction::write);
        std::string text(1, '\0');
        const std::size_t end = co_await ends.here.read(text);
        CHECK(end == 0);
        const std::string large = numbered_text(too_much / 8, 'h');
        auto both =
            co_await when_all(Write::run(ends.here, large), read_text(ends.there, large.size()));
        CHECK((std::get<1>(both) == large));
    });
}

TEST_CASE_TEMPLATE("write: shutting the own half in its middle fails it", Write, ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text(too_much, 'x');
        auto shut = [&]() -> task<> {
            co_await iterations();
            ends.here.shutdown(shutdown_direction::write);
        };
        auto both = co_await when_all(result_of_task(Write::run(ends.here, text)), shut());
        CHECK(std::get<0>(both).error() == std::errc::broken_pipe);
    });
}

TEST_CASE_TEMPLATE("write: several at once keep their order and never interleave", Write,
                   ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::vector<std::string> texts;
        std::string expected;
        for (char mark = 'a'; mark <= 'p'; ++mark) {
            const std::size_t size = mark % 3 == 0 ? 17 : 400'000 + static_cast<std::size_t>(mark);
            texts.push_back(numbered_text(size, mark));
            expected += texts.back();
        }
        auto body = [&](task_group& group) -> task<> {
            for (const std::string& text : texts)
                group.start(Write::run(ends.here, text));
            const std::string received = co_await read_text(ends.there, expected.size());
            CHECK((received == expected));
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_TEMPLATE("write: closing the stream cancels what is under way and what waits", Write,
                   ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text(too_much, 'x');
        std::string unread(5, '\0');
        auto closing = [&]() -> task<> {
            co_await iterations();
            ends.here.close();
        };
        auto all = co_await when_all(result_of_task(Write::run(ends.here, text)),
                                     result_of_task(Write::run(ends.here, "second")),
                                     result_of_task(ends.here.read_exactly(unread)), closing());
        CHECK(std::get<0>(all).error() == std::errc::operation_canceled);
        CHECK(std::get<1>(all).error() == std::errc::operation_canceled);
        CHECK(std::get<2>(all).error() == std::errc::operation_canceled);
        const std::size_t received = co_await drain(ends.there);
        CHECK(received < too_much);
    });
}

TEST_CASE_TEMPLATE("write: to a stream that another thread's loop uses is refused", Write,
                   ALL_WRITES) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        co_await ends.here.write("mine"sv);
        std::error_code elsewhere;
        std::thread other([&] {
            elsewhere = run([](stream& used) -> task<std::error_code> {
                const auto done = co_await as_result(Write::run(used, "text"));
                co_return done.error();
            }(ends.here));
        });
        other.join();
        CHECK(elsewhere == error::wrong_loop);
    });
}

TEST_CASE("write: gathers more parts than go to the kernel at once") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text = numbered_text(5000, 'g');
        std::vector<const_buffer> parts;
        for (std::size_t i = 0; i < text.size(); i += 13) {
            parts.emplace_back(std::string_view(text).substr(i, 13));
            parts.emplace_back();
        }
        auto both = co_await when_all(ends.here.write(std::span<const const_buffer>(parts)),
                                      read_text(ends.there, text.size()));
        CHECK((std::get<1>(both) == text));
    });
}

TEST_CASE("write: two streams that write to each other and read do not lock up") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text = numbered_text(too_much / 8, 'd');
        auto all = co_await when_all(ends.here.write(text), ends.there.write(text),
                                     read_text(ends.here, text.size()),
                                     read_text(ends.there, text.size()));
        CHECK((std::get<2>(all) == text));
        CHECK((std::get<3>(all) == text));
    });
}
