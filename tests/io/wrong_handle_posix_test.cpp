// SPDX-License-Identifier: MIT
//
// Handles that are no sockets, and codes that mean nothing: what the system says is passed on
// unchanged, to whoever asked and to nobody else.

#include "clean_run.hpp"
#include "connected.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <coracle/io/posix/calls.hpp>
#include <fcntl.h>
#include <string>
#include <unistd.h>

using namespace coracle;
using namespace coracle::test;

namespace {

struct answers {
    std::error_code read;
    std::error_code scattered;
    std::error_code written;
    std::error_code gathered;
};

/// What becomes of each way to move bytes.
task<answers> try_all(stream& used) {
    answers seen;
    std::string text(5, 'x');
    const std::array into = {mutable_buffer(text.data(), text.size())};
    const std::array from = {const_buffer(text.data(), text.size())};
    const auto read = co_await as_result(used.read(text));
    const auto scattered = co_await as_result(used.read(std::span<const mutable_buffer>(into)));
    const auto written = co_await as_result(used.write(text));
    const auto gathered = co_await as_result(used.write(std::span<const const_buffer>(from)));
    seen.read = read.error();
    seen.scattered = scattered.error();
    seen.written = written.error();
    seen.gathered = gathered.error();
    co_return seen;
}

task<> check_refused(int handle, std::errc expected) {
    tcp_stream wrong = tcp_stream::adopt(handle);
    const answers seen = co_await try_all(wrong);
    for (const std::error_code& each : {seen.read, seen.scattered, seen.written, seen.gathered})
        CHECK(each == expected);
    bool told = false;
    try {
        static_cast<void>(wrong.peer_address());
    } catch (const std::system_error& error) {
        told = error.code() == expected;
    }
    CHECK(told);
}

} // namespace

TEST_CASE("wrong handle: a file adopted as a stream is told to be no socket") {
    run_clean([]() -> task<> {
        co_await check_refused(::open("/dev/null", O_RDWR | O_CLOEXEC), std::errc::not_a_socket);
    });
}

TEST_CASE("wrong handle: a pipe adopted as a stream is told to be no socket") {
    run_clean([]() -> task<> {
        std::array<int, 2> ends = {};
        REQUIRE(::pipe(ends.data()) == 0);
        co_await check_refused(ends[0], std::errc::not_a_socket);
        co_await check_refused(ends[1], std::errc::not_a_socket);
    });
}

TEST_CASE("wrong handle: one that is not open is told to be bad") {
    run_clean([]() -> task<> { co_await check_refused(100'000, std::errc::bad_file_descriptor); });
}

TEST_CASE("wrong handle: a listener cannot be read") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        tcp_stream wrong = tcp_stream::adopt(listener.release());
        std::string text(5, '\0');
        const auto read = co_await as_result(wrong.read(text));
        CHECK(read.error() == std::errc::not_connected);
    });
}

TEST_CASE("errors: a code without a meaning is passed on, and compares to nothing") {
    const std::error_code strange = posix::error_of(4000);
    CHECK(strange.value() == 4000);
    CHECK(strange.category() == std::system_category());
    for (int known = 1; known < 200; ++known)
        CHECK(strange != static_cast<std::errc>(known));
    CHECK_FALSE(strange.message().empty());
}
