// SPDX-License-Identifier: MIT
//
// A frame that a program destroys by hand while the kernel may still touch it. Whatever it waits
// for, that stops the program with a message that names the operation, the function and the line.

#include "child_process.hpp"
#include "connected.hpp"
#include "lone_job.hpp"

#include <coracle/coracle.hpp>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// Starts a task by hand and destroys its frame while it waits.
task<> destroy_waiting(task<> waiting) {
    lone_job job;
    {
        task<> by_hand = std::move(waiting);
        by_hand.start(job);
        co_await iterations(2);
    }
    co_await iterations(8); // by now it would have been resumed
}

constexpr unsigned first_line = __LINE__ + 4;

// One a line, so that the line in the message tells them apart.
// clang-format off
task<> wait_to_accept(tcp_listener& from) { static_cast<void>(co_await from.accept()); }
task<> wait_to_read(stream& from, mutable_buffer into) { co_await from.read(into); }
task<> wait_to_read_exactly(stream& from, mutable_buffer into) { co_await from.read_exactly(into); }
task<> wait_to_write(stream& to, const_buffer from) { co_await to.write(from); }
task<> wait_for_event(event& awaited) { co_await awaited.wait(); }
task<> wait_for_time() { co_await sleep_for(1h); }

// clang-format on

/// Runs `program(ends)`, which is to be stopped.
template <class Program>
child_outcome stopped(Program program) {
    return in_child_process([&program] {
        run([](Program& body) -> task<> {
            connection ends = co_await connect_ends();
            co_await body(ends);
        }(program));
    });
}

void check_named(const child_outcome& outcome, const std::string& kind, const std::string& function,
                 unsigned line) {
    INFO(outcome.error_output);
    CHECK(outcome.aborted);
    CHECK(outcome.said("coracle: fatal: a frame was destroyed or moved while it waits on a " +
                       kind + ", in "));
    CHECK(outcome.said(function));
    CHECK(outcome.said("destroyed_frame_test.cpp:" + std::to_string(line) + ")"));
    CHECK(outcome.said(": cancel it and await its end instead\n"));
}

} // namespace

TEST_CASE("destroyed_frame: one that reads stops the program by name") {
    char byte = 0;
    auto read = [&](connection& ends) -> task<> {
        co_await destroy_waiting(wait_to_read(ends.here, mutable_buffer(&byte, 1)));
    };
    check_named(stopped(read), "read", "wait_to_read(", first_line + 1);
    auto read_exactly = [&](connection& ends) -> task<> {
        co_await destroy_waiting(wait_to_read_exactly(ends.here, mutable_buffer(&byte, 1)));
    };
    check_named(stopped(read_exactly), "read", "wait_to_read_exactly(", first_line + 2);
}

TEST_CASE("destroyed_frame: one that writes stops the program by name") {
    auto write = [](connection& ends) -> task<> {
        const std::string much(too_much, 'x');
        co_await destroy_waiting(wait_to_write(ends.here, much));
    };
    check_named(stopped(write), "write", "wait_to_write(", first_line + 3);
}

TEST_CASE("destroyed_frame: the same while it waits for time or an event") {
    auto wait = [](connection&) -> task<> {
        event never;
        co_await destroy_waiting(wait_for_event(never));
    };
    check_named(stopped(wait), "event", "wait_for_event(", first_line + 4);
    auto sleep = [](connection&) -> task<> { co_await destroy_waiting(wait_for_time()); };
    check_named(stopped(sleep), "sleep", "wait_for_time(", first_line + 5);
}

TEST_CASE("destroyed_frame: the same while it accepts, in a frame of the library") {
    const child_outcome outcome = stopped([](connection&) -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        co_await destroy_waiting(wait_to_accept(listener));
    });
    INFO(outcome.error_output);
    CHECK(outcome.aborted);
    CHECK(outcome.said("a frame was destroyed or moved while it waits on a accept, in "));
}
