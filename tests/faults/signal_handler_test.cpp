// SPDX-License-Identifier: MIT
//
// A signal_set that ends while a handler on another thread is about to write to its descriptor.

#include "child_process.hpp"
#include "fault.hpp"

#include <atomic>
#include <coracle/coracle.hpp>
#include <csignal>
#include <doctest/doctest.h>
#include <optional>
#include <thread>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("signal_set: its end waits for the handlers that still write to it") {
    const auto before = std::signal(SIGUSR1, SIG_IGN);
    std::optional<signal_set> signals;
    signals.emplace({SIGUSR1});
    held_call sending("send");
    std::thread handling([] { std::raise(SIGUSR1); });
    while (!sending.reached())
        std::this_thread::yield();
    std::atomic<bool> ended = false;
    std::thread ending([&] {
        signals.reset();
        ended = true;
    });
    // Were it not to wait, it would end in this time, and its descriptor could be another's.
    for (int i = 0; i < 1000 && !ended; ++i)
        std::this_thread::yield();
    CHECK_FALSE(ended);
    sending.release();
    handling.join();
    ending.join();
    CHECK(ended);
    std::signal(SIGUSR1, before);
}

TEST_CASE("signal_set: in a forked child its end waits for no handler of the parent") {
    const auto before = std::signal(SIGUSR1, SIG_IGN);
    std::optional<signal_set> signals;
    signals.emplace({SIGUSR1});
    held_call sending("send");
    std::thread handling([] { std::raise(SIGUSR1); });
    while (!sending.reached())
        std::this_thread::yield();
    const child_outcome outcome = in_child_process([&] { signals.reset(); });
    CHECK(outcome.succeeded);
    sending.release();
    handling.join();
    signals.reset();
    std::signal(SIGUSR1, before);
}
