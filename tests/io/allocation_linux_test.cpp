// SPDX-License-Identifier: MIT
//
// Nothing is allocated per message: in steady state an echoed message costs no call of malloc and
// none of operator new, which is made of it. This program's own malloc counts the calls and passes
// them on to the C library.

#include "clean_run.hpp"
#include "connected.hpp"
#include "instrumented.hpp"

#include <array>
#include <atomic>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <new>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

std::atomic<std::size_t> calls = 0;

} // namespace

#ifndef CORACLE_TEST_UNDER

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
    ++calls;
    return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
    ++calls;
    return __libc_calloc(count, bytes);
}

void* realloc(void* block, std::size_t bytes) {
    ++calls;
    return __libc_realloc(block, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    ++calls;
    return __libc_memalign(alignment, bytes);
}
}

#endif

namespace {

constexpr int warm_up = 200;
constexpr int messages = 10'000;

task<> echo_for_ever(tcp_stream& peer) {
    std::array<std::byte, 4096> buffer;
    for (;;) {
        const std::size_t count = co_await peer.read(buffer);
        if (count == 0)
            co_return;
        co_await peer.write(std::span(buffer).first(count));
    }
}

task<> echo_once(tcp_stream peer) {
    std::array<std::byte, 4096> buffer;
    const std::size_t count = co_await peer.read(buffer);
    co_await peer.write(std::span(buffer).first(count));
}

/// One message there and back, with a task, a limit of time and several jobs, as programs have.
task<> send_and_receive(tcp_stream& peer, std::span<char> buffer) {
    co_await peer.write("sixty-four bytes are a message of a common size, and these are so."sv);
    co_await with_timeout(std::chrono::seconds(10), peer.read_exactly(buffer));
}

} // namespace

TEST_CASE("allocation: an echoed message allocates nothing") {
    if (instrumented) {
        MESSAGE("skipped, because " << std::string(why_instrumented));
        return;
    }
    const std::size_t at_start = calls;
    ::operator delete(::operator new(100));
    std::free(std::malloc(100));
    REQUIRE(calls > at_start + 1); // it does count

    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        auto client = [&]() -> task<> {
            std::array<char, 66> buffer;
            std::size_t before = 0;
            for (int i = 0; i < warm_up + messages; ++i) {
                if (i == warm_up)
                    before = calls;
                co_await send_and_receive(ends.here, buffer);
            }
            CHECK(calls - before == 0);
            ends.here.shutdown(shutdown_direction::write);
        };
        co_await when_all(client(), echo_for_ever(ends.there));
    });
}

TEST_CASE("allocation: a connection of its own for each message allocates nothing") {
    if (instrumented) {
        MESSAGE("skipped, because " << std::string(why_instrumented));
        return;
    }
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        auto body = [&](task_group& group) -> task<> {
            std::size_t before = 0;
            for (int i = 0; i < warm_up + 1000; ++i) {
                if (i == warm_up)
                    before = calls;
                connection ends = co_await connect_to(listener);
                ends.here.set_linger(std::chrono::seconds(0)); // or ports would run out
                group.start(echo_once(std::move(ends.there)));
                std::array<char, 66> buffer;
                co_await send_and_receive(ends.here, buffer);
            }
            CHECK(calls - before == 0);
        };
        co_await with_task_group(body);
    });
}
