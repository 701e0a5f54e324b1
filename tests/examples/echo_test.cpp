// SPDX-License-Identifier: MIT
//
// The echo server as a program.
#include "program.hpp"

#include <doctest/doctest.h>

using coracle::test::blocking_connection;
using coracle::test::describe;
using coracle::test::ending_signals;
using coracle::test::program;

TEST_CASE("echo: what comes is sent back, on several connections") {
    program echo(CORACLE_ECHO, {"0"});
    const std::uint16_t port = echo.port();
    blocking_connection one(port);
    blocking_connection two(port);
    const std::string much(100'000, 'x');
    one.send("hello");
    two.send(much);
    CHECK(two.take(much.size()) == much);
    CHECK(one.take(5) == "hello");
    one.send("last");
    one.end_sending();
    CHECK(one.rest() == "last");
}

TEST_CASE("echo: a connection that is reset ends alone") {
    program echo(CORACLE_ECHO, {"0"});
    const std::uint16_t port = echo.port();
    blocking_connection stays(port);
    stays.send("a");
    CHECK(stays.take(1) == "a");
    for (int i = 0; i < 20; ++i) {
        blocking_connection gone(port);
        gone.send("not read");
        gone.reset();
    }
    stays.send("b");
    CHECK(stays.take(1) == "b");
    blocking_connection late(port);
    late.send("c");
    CHECK(late.take(1) == "c");
}

TEST_CASE("echo: a signal ends it, and its connections with it") {
    for (const int number : ending_signals()) {
        program echo(CORACLE_ECHO, {"0"});
        blocking_connection one(echo.port());
        one.send("a");
        CHECK(one.take(1) == "a");
        echo.send_signal(number);
        CHECK(one.rest().empty());
        CHECK(echo.exit_code() == 0);
        CHECK(echo.complaint.empty());
    }
}

TEST_CASE("echo: a port in use and a bad one are told in one line") {
    program echo(CORACLE_ECHO, {"0"});
    const std::string port = std::to_string(echo.port());
    program second(CORACLE_ECHO, {port});
    CHECK(second.exit_code() == 1);
    CHECK(second.complaint == "echo: cannot bind to 127.0.0.1:" + port + ": " +
                                  describe(std::errc::address_in_use) + "\n");
    for (const char* const bad : {"", "http", "65536", "-1", "7 7"}) {
        program refused(CORACLE_ECHO, {bad});
        CHECK(refused.exit_code() == 1);
        CHECK(refused.complaint.starts_with("echo: bad address '127.0.0.1:"));
        CHECK(refused.complaint.find('\n') == refused.complaint.size() - 1);
    }
}
