// SPDX-License-Identifier: MIT
//
// The end of a stream whose own half was ended without the library's knowledge is still the end of
// a stream, and a reset is still a reset.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <string>
#include <sys/socket.h>

using namespace coracle;
using namespace coracle::test;

namespace {

/// Reads twice, so that on every backend one of the reads has to wait.
task<> expect_text_and_end(tcp_stream& from, tcp_stream& peer) {
    const std::string text = co_await read_text(from, 1);
    CHECK(text == "x");
    auto closing = [&]() -> task<> {
        co_await iterations();
        peer.close();
    };
    char byte = 0;
    auto both = co_await when_all(result_of_task(from.read(mutable_buffer(&byte, 1))), closing());
    const auto& count = std::get<0>(both);
    CHECK(count.has_value());
    CHECK((count && *count == 0));
}

} // namespace

TEST_CASE("half-close: by the handle, the end of the stream is no reset") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        CHECK(::shutdown(static_cast<int>(ends.here.handle()), SHUT_WR) == 0);
        send_raw(ends.there, "x");
        co_await expect_text_and_end(ends.here, ends.there);
    });
}

TEST_CASE("half-close: after release and adopt the end of the stream is no reset") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        ends.here.shutdown(shutdown_direction::write);
        ends.here = tcp_stream::adopt(ends.here.release());
        send_raw(ends.there, "x");
        co_await expect_text_and_end(ends.here, ends.there);
    });
}

TEST_CASE("half-close: adopted, the end of the stream is no reset") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const native_handle half = connect_raw(listener.local_address());
        tcp_stream there = co_await listener.accept();
        CHECK(::shutdown(static_cast<int>(half), SHUT_WR) == 0);
        tcp_stream here = tcp_stream::adopt(half);
        send_raw(there, "x");
        co_await expect_text_and_end(here, there);
    });
}

TEST_CASE("half-close: a reset that a write was told of is told to reads as well") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        send_raw(ends.here, "unread");
        reset(ends.there);
        const std::string text(100'000, 'x');
        std::error_code told;
        for (int i = 0; i < 3; ++i) {
            const auto written = co_await as_result(ends.here.write(text));
            told = written.error();
        }
        CHECK((told == std::errc::connection_reset || told == std::errc::broken_pipe));
        char byte = 0;
        const auto count = co_await as_result(ends.here.read(mutable_buffer(&byte, 1)));
        CHECK(count.error() == std::errc::connection_reset);
    });
}
