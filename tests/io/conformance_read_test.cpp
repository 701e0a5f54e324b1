// SPDX-License-Identifier: MIT
//
// Conformance of the reads: read, read_exactly and the scattered read. What all three promise is
// tested for all three.

#include "clean_run.hpp"
#include "connected.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

struct plain_read {
    static task<std::size_t> run(stream& from, mutable_buffer into) {
        co_return co_await from.read(into);
    }
};

struct exact_read {
    static task<std::size_t> run(stream& from, mutable_buffer into) {
        co_return co_await from.read_exactly(into);
    }
};

struct scattered_read {
    static task<std::size_t> run(stream& from, mutable_buffer into) {
        auto* const data = static_cast<char*>(into.data());
        const std::size_t first = into.size() / 3;
        const std::array parts = {mutable_buffer(data, first), mutable_buffer(),
                                  mutable_buffer(data + first, into.size() - first)};
        co_return co_await from.read(std::span<const mutable_buffer>(parts));
    }
};

} // namespace

#define ALL_READS plain_read, exact_read, scattered_read

TEST_CASE_TEMPLATE("read: gives what has arrived", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        send_raw(ends.there, "seven b");
        std::string text(7, '\0');
        const std::size_t count = co_await Read::run(ends.here, text);
        CHECK(count == 7);
        CHECK(text == "seven b");
    });
}

TEST_CASE_TEMPLATE("read: waits for what is still to come", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        auto late = [&]() -> task<> {
            co_await iterations();
            co_await ends.there.write("later"sv);
        };
        auto both = co_await when_all(Read::run(ends.here, text), late());
        CHECK(std::get<0>(both) == 5);
        CHECK(text == "later");
    });
}

TEST_CASE_TEMPLATE("read: of a closed stream fails at once", Read, ALL_READS) {
    run_clean([]() -> task<> {
        tcp_stream closed;
        std::string text(5, '\0');
        const auto count = co_await as_result(Read::run(closed, text));
        CHECK(count.error() == std::errc::bad_file_descriptor);
    });
}

TEST_CASE_TEMPLATE("read: of a socket that is not connected passes the code on", Read, ALL_READS) {
    run_clean([]() -> task<> {
        tcp_stream idle = tcp_stream::adopt(network::native().open_stream(address::family::v4));
        std::string text(5, '\0');
        const auto count = co_await as_result(Read::run(idle, text));
        CHECK(count.error() == std::errc::not_connected);
    });
}

TEST_CASE_TEMPLATE("read: of nothing is an invalid argument", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const auto count = co_await as_result(Read::run(ends.here, mutable_buffer()));
        CHECK(count.error() == std::errc::invalid_argument);
    });
}

TEST_CASE_TEMPLATE("read: a reset ends it, pending or not", Read, ALL_READS) {
    run_clean([]() -> task<> {
        for (const bool pending : {false, true}) {
            CAPTURE(pending);
            connection ends = co_await connect_ends();
            std::string text(5, '\0');
            auto break_it = [&]() -> task<> {
                if (pending)
                    co_await iterations();
                reset(ends.there);
            };
            auto breaking = break_it();
            if (!pending)
                co_await std::move(breaking);
            auto read = result_of_task(Read::run(ends.here, text));
            if (pending) {
                auto both = co_await when_all(std::move(read), std::move(breaking));
                CHECK(std::get<0>(both).error() == std::errc::connection_reset);
            } else {
                const auto count = co_await std::move(read);
                CHECK(count.error() == std::errc::connection_reset);
            }
        }
    });
}

TEST_CASE_TEMPLATE("read: cancelled before its start it takes nothing", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        send_raw(ends.there, "stays");
        std::string text(5, '\0');
        const auto count = co_await cancel_at(moment::before_start, Read::run(ends.here, text));
        CHECK(count.error() == std::errc::operation_canceled);
        const std::string there = co_await read_text(ends.here, 5);
        CHECK(there == "stays");
    });
}

TEST_CASE_TEMPLATE("read: cancelled while pending it ends, and the stream goes on", Read,
                   ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        for (int i = 0; i < 3; ++i) {
            std::string text(5, '\0');
            const auto count =
                co_await cancel_at(moment::while_pending, Read::run(ends.here, text));
            CHECK(count.error() == std::errc::operation_canceled);
        }
        co_await ends.there.write("after"sv);
        const std::string next = co_await read_text(ends.here, 5);
        CHECK(next == "after");
    });
}

TEST_CASE_TEMPLATE("read: cancelled when the bytes are there it loses none", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        for (int i = 0; i < 20; ++i) {
            std::string text(5, '\0');
            std::optional<result<std::size_t>> count;
            auto reading = [&]() -> task<> {
                count = co_await as_result(Read::run(ends.here, text));
            };
            auto body = [&](task_group& group) -> task<> {
                group.start(reading);
                co_await iterations();
                send_raw(ends.there, "bytes"); // the kernel has the answer, the loop has not
                group.cancel();
            };
            co_await with_task_group(body);
            if (!*count) {
                CHECK(count->error() == std::errc::operation_canceled);
                text = co_await read_text(ends.here, 5);
            }
            CHECK(text == "bytes");
        }
    });
}

TEST_CASE_TEMPLATE("read: cancelled after it has completed it is a success", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection one = co_await connect_ends();
        connection other = co_await connect_ends();
        int successes = 0;
        auto body = [&](task_group& group) -> task<> {
            auto reading = [&](stream& from) -> task<> {
                std::string text(5, '\0');
                const auto count = co_await as_result(Read::run(from, text));
                group.cancel(); // both have completed; the other one has not been resumed yet
                if (count && text == "bytes")
                    ++successes;
            };
            group.start(reading, std::ref<stream>(one.here));
            group.start(reading, std::ref<stream>(other.here));
            co_await iterations();
            send_raw(one.there, "bytes");
            send_raw(other.there, "bytes");
            event never;
            co_await never.wait();
        };
        co_await with_task_group(body);
        CHECK(successes == 2);
    });
}

TEST_CASE_TEMPLATE("read: times out, and the stream goes on", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        const auto count = co_await as_result(with_timeout(2ms, Read::run(ends.here, text)));
        CHECK(count.error() == std::errc::timed_out);
        co_await ends.there.write("after"sv);
        const std::string next = co_await read_text(ends.here, 5);
        CHECK(next == "after");
    });
}

TEST_CASE_TEMPLATE("read: the end of the stream is 0, pending or not, again and again", Read,
                   ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        auto late = [&]() -> task<> {
            co_await iterations();
            ends.there.close();
        };
        auto both = co_await when_all(Read::run(ends.here, text), late());
        CHECK(std::get<0>(both) == 0);
        for (int i = 0; i < 2; ++i) {
            const std::size_t count = co_await Read::run(ends.here, text);
            CHECK(count == 0);
        }
    });
}

TEST_CASE_TEMPLATE("read: gives what came before the end, then the end", Read, ALL_READS) {
    run_clean([]() -> task<> {
        for (const bool registered : {false, true}) {
            CAPTURE(registered);
            connection ends = co_await connect_ends();
            if (registered) { // an epoll that knows the socket has been told of both at once
                std::string text(5, '\0');
                const auto count =
                    co_await cancel_at(moment::while_pending, Read::run(ends.here, text));
                CHECK_FALSE(count);
            }
            send_raw(ends.there, "last!");
            ends.there.close();
            co_await iterations();
            std::string text(5, '\0');
            const std::size_t count = co_await Read::run(ends.here, text);
            CHECK(count == 5);
            const std::size_t end = co_await Read::run(ends.here, text);
            CHECK(end == 0);
        }
    });
}

TEST_CASE_TEMPLATE("read: goes on after the own half is shut", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        ends.here.shutdown(shutdown_direction::write);
        std::string text(5, '\0');
        const std::size_t end = co_await Read::run(ends.there, text);
        CHECK(end == 0);
        co_await ends.there.write("reply"sv);
        const std::size_t count = co_await Read::run(ends.here, text);
        CHECK(count == 5);
        CHECK(text == "reply");
    });
}

TEST_CASE_TEMPLATE("read: shutting the reading half ends it", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        auto shut = [&]() -> task<> {
            co_await iterations();
            ends.here.shutdown(shutdown_direction::read);
        };
        auto both = co_await when_all(Read::run(ends.here, text), shut());
        CHECK(std::get<0>(both) == 0);
    });
}

TEST_CASE_TEMPLATE("read: a second one at the same time is refused", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        std::string more(5, '\0');
        auto second = [&]() -> task<> {
            co_await iterations();
            const auto count = co_await as_result(Read::run(ends.here, more));
            CHECK(count.error() == error::read_under_way);
            CHECK(count.error() == std::errc::device_or_resource_busy);
            CHECK(count.error().message() == "another read is under way");
            co_await ends.there.write("first"sv);
        };
        auto both = co_await when_all(Read::run(ends.here, text), second());
        CHECK(std::get<0>(both) == 5);
        CHECK(text == "first");
    });
}

TEST_CASE_TEMPLATE("read: closing the stream cancels it, and closes afterwards", Read, ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        auto closing = [&]() -> task<> {
            co_await iterations();
            ends.here.close();
            CHECK_FALSE(ends.here.is_open());
        };
        auto both = co_await when_all(result_of_task(Read::run(ends.here, text)), closing());
        CHECK(std::get<0>(both).error() == std::errc::operation_canceled);
        // Nobody has cancelled this job: it is an error like any other.
        CHECK_THROWS_AS(static_cast<void>(std::get<0>(both).value()), std::system_error);
        const std::size_t end = co_await ends.there.read(text);
        CHECK(end == 0); // the peer has seen the end
    });
}

TEST_CASE_TEMPLATE("read: of a stream that another thread's loop uses is refused", Read,
                   ALL_READS) {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        co_await ends.here.write("mine"sv);
        std::error_code elsewhere;
        std::thread other([&] {
            elsewhere = run([](stream& used) -> task<std::error_code> {
                std::string text(5, '\0');
                const auto count = co_await as_result(Read::run(used, text));
                co_return count.error();
            }(ends.here));
        });
        other.join();
        CHECK(elsewhere == error::wrong_loop);
    });
}

TEST_CASE("read: a plain and a scattered read give a part, an exact one waits for all") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(9, '\0');
        send_raw(ends.there, "four");
        const std::size_t part = co_await plain_read::run(ends.here, text);
        CHECK(part == 4);
        send_raw(ends.there, "four");
        const std::size_t scattered = co_await scattered_read::run(ends.here, text);
        CHECK(scattered == 4);
        CHECK(text.substr(0, 4) == "four");
        auto drip = [&]() -> task<> {
            for (const std::string_view piece : {"a"sv, "bcd"sv, ""sv, "ef"sv, "ghi"sv}) {
                co_await ends.there.write(piece);
                co_await iterations();
            }
        };
        auto both = co_await when_all(exact_read::run(ends.here, text), drip());
        CHECK(std::get<0>(both) == 9);
        CHECK(text == "abcdefghi");
    });
}

TEST_CASE("read_exactly: a stream that ends in the middle is an error") {
    run_clean([]() -> task<> {
        for (const bool pending : {false, true}) {
            CAPTURE(pending);
            connection ends = co_await connect_ends();
            send_raw(ends.there, "half");
            if (!pending)
                ends.there.close();
            auto late = [&]() -> task<> {
                co_await iterations();
                ends.there.close();
            };
            std::string text(8, '\0');
            auto both = co_await when_all(result_of_task(ends.here.read_exactly(text)), late());
            CHECK(std::get<0>(both).error() == error::unexpected_end);
        }
    });
}

TEST_CASE("read: scatters over more parts than go to the kernel at once") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string sent(57, '\0');
        std::iota(sent.begin(), sent.end(), 'A');
        std::string received(sent.size(), '\0');
        std::size_t filled = 0;
        send_raw(ends.there, sent);
        while (filled < sent.size()) {
            std::vector<mutable_buffer> parts;
            for (std::size_t i = filled; i < received.size(); ++i) {
                parts.emplace_back(received.data() + i, 1);
                parts.emplace_back();
            }
            filled += co_await ends.here.read(std::span<const mutable_buffer>(parts));
        }
        CHECK(received == sent);
    });
}

TEST_CASE("read: a short one just before the end does not hide the end") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(9, '\0');
        const auto nothing = co_await cancel_at(moment::while_pending, read_text(ends.here, 1));
        CHECK_FALSE(nothing); // it had to wait, so the kernel has been asked to tell
        send_raw(ends.there, "last!");
        ends.there.close();
        co_await iterations(); // and has told of both at once
        const std::size_t count = co_await ends.here.read(text);
        CHECK(count == 5);
        const std::size_t end = co_await with_timeout(10s, ends.here.read(text));
        CHECK(end == 0);
    });
}
