// SPDX-License-Identifier: MIT
//
// What is adopted: sockets that are refused as listeners, and sockets that others share, for whom
// it stays as it was found whether calls on one block.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

bool blocks(native_handle handle) {
    return (::fcntl(static_cast<int>(handle), F_GETFL) & O_NONBLOCK) == 0;
}

/// Another descriptor of the same open file description, as a child process has.
native_handle duplicate(native_handle handle) {
    const int copy = ::fcntl(static_cast<int>(handle), F_DUPFD_CLOEXEC, 0);
    REQUIRE(copy >= 0);
    return copy;
}

/// Has reads and writes of both wait.
task<> use_both_ways(tcp_stream& one, tcp_stream& other) {
    auto answering = [&]() -> task<> {
        co_await iterations();
        co_await other.write("x"sv);
    };
    for (int i = 0; i < 3; ++i) {
        auto both = co_await when_all(read_text(one, 1), answering());
        CHECK(std::get<0>(both) == "x");
    }
    const std::string large(too_much / 8, 'y');
    auto moved = co_await when_all(one.write(large), read_text(other, large.size()));
    CHECK((std::get<1>(moved) == large));
    const auto nothing = co_await cancel_at(moment::while_pending, read_text(one, 1));
    CHECK_FALSE(nothing);
}

} // namespace

TEST_CASE("adopt: whether a stream's calls block stays as it was, for all who share it") {
    for (const bool blocking : {true, false}) {
        CAPTURE(blocking);
        run_clean([&]() -> task<> {
            const bool leaves_flag = context::current().backend_name() != "kqueue";
            const auto ends = raw_pair();
            if (!blocking)
                make_non_blocking(ends.first);
            const native_handle shared = duplicate(ends.first);
            tcp_stream here = tcp_stream::adopt(ends.first);
            tcp_stream there = tcp_stream::adopt(ends.second);
            co_await use_both_ways(here, there);
            if (leaves_flag)
                CHECK(blocks(shared) == blocking);
            const native_handle released = here.release();
            CHECK(blocks(shared) == blocking);
            here = tcp_stream::adopt(released);
            co_await use_both_ways(here, there);
            here.close();
            CHECK(blocks(shared) == blocking);
            close_raw(shared);
        });
    }
}

TEST_CASE("adopt: a handle that is no listener of TCP is refused as one, and stays the caller's") {
    run_clean([]() -> task<> {
        const auto check_refused = [](native_handle handle, std::errc expected) {
            std::error_code told;
            try {
                static_cast<void>(tcp_listener::adopt(handle));
            } catch (const std::system_error& refused) {
                told = refused.code();
            }
            CHECK(told == expected);
            close_raw(handle); // which fails if it was closed
        };
        check_refused(::open("/dev/null", O_RDWR | O_CLOEXEC), std::errc::not_a_socket);
        check_refused(::socket(AF_INET, SOCK_DGRAM, 0), std::errc::invalid_argument);
        const int local = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr nameless = {};
        nameless.sa_family = AF_UNIX; // Linux chooses a name for it
        REQUIRE(::bind(local, &nameless, sizeof nameless.sa_family) == 0);
        REQUIRE(::listen(local, 1) == 0);
        check_refused(local, std::errc::address_family_not_supported);
        CHECK_THROWS_WITH_AS(static_cast<void>(tcp_listener::adopt(100'000)),
                             doctest::Contains("descriptor 100000"), std::system_error);
        co_return;
    });
}

TEST_CASE("adopt: whether a listener's calls block is as it was when it is released or closed") {
    const auto use_and_end = [](bool blocking, bool released) -> task<> {
        tcp_listener bound = tcp_listener::bind(address::loopback_v4(0));
        const native_handle handle = bound.release();
        if (!blocking)
            make_non_blocking(handle);
        const native_handle shared = duplicate(handle);
        tcp_listener listener = tcp_listener::adopt(handle);
        const auto nothing = co_await cancel_at(moment::while_pending, listener.accept());
        CHECK_FALSE(nothing);
        const connection ends = co_await connect_to(listener);
        CHECK(ends.there.is_open());
        if (released)
            close_raw(listener.release());
        listener.close();
        CHECK(blocks(shared) == blocking);
        close_raw(shared);
    };
    for (const bool blocking : {true, false}) {
        CAPTURE(blocking);
        run_clean([&] { return use_and_end(blocking, true); });
        run_clean([&] { return use_and_end(blocking, false); });
    }
}

TEST_CASE("adopt: a listener that another one shares never blocks the loop") {
    run_clean([]() -> task<> {
        tcp_listener bound = tcp_listener::bind(address::loopback_v4(0));
        const native_handle handle = bound.release();
        tcp_listener one = tcp_listener::adopt(duplicate(handle));
        tcp_listener other = tcp_listener::adopt(handle);
        for (tcp_listener* const each : {&one, &other}) {
            const auto nothing = co_await cancel_at(moment::while_pending, each->accept());
            CHECK_FALSE(nothing);
        }
        one.close(); // now calls block again
        const connection ends = co_await connect_to(other);
        CHECK(ends.there.is_open());
        const auto nothing = co_await cancel_at(moment::while_pending, other.accept());
        CHECK_FALSE(nothing);
    });
}
