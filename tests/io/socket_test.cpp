// SPDX-License-Identifier: MIT
//
// The life of a socket: what operations, jobs and threads find when it is closed, moved, shut down
// or given up.

#include "child_process.hpp"
#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <string>
#include <thread>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

task<> close_it(tcp_stream& closed) {
    closed.close();
    co_return;
}

task<> end_writing(tcp_stream& ended) {
    ended.shutdown(shutdown_direction::write);
    co_return;
}

} // namespace

TEST_CASE("socket: an operation awaited after its socket was closed finds that it is closed") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        char byte = 0;
        // when_all awaits the read in its own job, after the first one has run.
        const auto ended = co_await when_all(close_it(ends.here),
                                             as_result(ends.here.read(mutable_buffer(&byte, 1))));
        CHECK(std::get<1>(ended).error() == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("socket: an operation that is never awaited keeps nothing open") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        char byte = 0;
        {
            const auto unused = ends.here.read(mutable_buffer(&byte, 1));
            ends.here.close();
        }
        const std::size_t count = co_await ends.there.read(mutable_buffer(&byte, 1));
        CHECK(count == 0);
    });
}

TEST_CASE("socket: assigning to one closes what it was") {
    run_clean([]() -> task<> {
        connection first = co_await connect_ends();
        connection second = co_await connect_ends();
        first.here = std::move(second.here);
        char byte = 0;
        const std::size_t count = co_await first.there.read(mutable_buffer(&byte, 1));
        CHECK(count == 0);
        send_raw(second.there, "x");
        const std::size_t from_second = co_await first.here.read(mutable_buffer(&byte, 1));
        CHECK(from_second == 1);
    });
}

TEST_CASE("socket: shutting down comes after what was awaited before it") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const auto ended = co_await when_all(as_result(ends.here.write("hello"sv)),
                                             end_writing(ends.here), read_text(ends.there, 9));
        CHECK(std::get<0>(ended).has_value());
        CHECK(std::get<2>(ended) == "hello");
    });
}

TEST_CASE("socket: a reset is an error to the read even if a write has met it first") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string much(too_much, 'x');
        char byte = 0;
        auto reset_soon = [](tcp_stream& peer) -> task<> {
            co_await iterations();
            reset(peer);
        };
        const auto ended =
            co_await when_all(as_result(ends.here.read(mutable_buffer(&byte, 1))),
                              as_result(ends.here.write(much)), reset_soon(ends.there));
        CHECK(std::get<0>(ended).error() == std::errc::connection_reset);
        CHECK_FALSE(std::get<1>(ended).has_value());
    });
}

TEST_CASE("socket: the end of both directions is no reset") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        ends.here.shutdown(shutdown_direction::write);
        ends.there.shutdown(shutdown_direction::write);
        char byte = 0;
        for (int again = 0; again < 2; ++again) {
            const std::size_t here = co_await ends.here.read(mutable_buffer(&byte, 1));
            const std::size_t there = co_await ends.there.read(mutable_buffer(&byte, 1));
            CHECK(here == 0);
            CHECK(there == 0);
        }
    });
}

TEST_CASE("socket: a read that lost a race before it reached the kernel takes nothing") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        send_raw(ends.there, "x");
        char byte = 0;
        auto at_once = []() -> task<> { co_return; };
        const auto first = co_await when_any(at_once(), ends.here.read(mutable_buffer(&byte, 1)));
        if (first.index() == 0) {
            const std::size_t count = co_await ends.here.read(mutable_buffer(&byte, 1));
            CHECK(count == 1);
        }
        CHECK(byte == 'x');
    });
}

TEST_CASE("socket: closed on another thread than its loop's, it stops the program") {
    const child_outcome outcome = in_child_process([] {
        run([]() -> task<> {
            connection ends = co_await connect_ends();
            send_raw(ends.there, "x");
            static_cast<void>(co_await read_text(ends.here, 1));
            std::thread([moved = std::move(ends.here)]() mutable { moved.close(); }).join();
        }());
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a socket was closed on another thread"));
}

TEST_CASE("socket: an empty write fails where any write would") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        auto write_nothing = [&ends]() -> task<> { co_await ends.here.write(""sv); };
        const result<void> cancelled_one =
            co_await cancel_at(moment::before_start, write_nothing());
        CHECK(cancelled_one.error() == std::errc::operation_canceled);
        const result<void> open = co_await as_result(ends.here.write(""sv));
        CHECK(open.has_value());
        ends.here.close();
        const result<void> closed = co_await as_result(ends.here.write(""sv));
        CHECK(closed.error() == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("connect: an address that cannot be bound is a result, and an error names the peer") {
    run_clean([]() -> task<> {
        // 192.0.2.0/24 is kept for documentation, so no machine has it.
        const address elsewhere = address::parse("192.0.2.1:0");
        const auto bound =
            co_await as_result(tcp_stream::connect(address::loopback_v4(1), elsewhere));
        CHECK(bound.error() == std::errc::address_not_available);
        tcp_listener closed = tcp_listener::bind(address::loopback_v4(0));
        const address ignored = closed.local_address();
        closed.close();
        std::string words;
        try {
            co_await tcp_stream::connect(ignored);
        } catch (const std::system_error& error) {
            words = error.what();
        }
        CHECK(words.find(to_string(ignored)) != std::string::npos);
    });
}
