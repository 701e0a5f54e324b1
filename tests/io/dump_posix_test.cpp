// SPDX-License-Identifier: MIT
//
// dump_on: each signal brings the tree and the usage, and the task leaves nothing behind.
#include "clean_run.hpp"

#include <coracle/io/dump.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/when.hpp>
#include <csignal>
#include <cstdio>

using namespace coracle;
using namespace coracle::test;

namespace {

bool is_caught(int signal) {
    struct sigaction now = {};
    CHECK(::sigaction(signal, nullptr, &now) == 0);
    return now.sa_handler != SIG_DFL;
}

} // namespace

TEST_CASE("dump_on: each signal brings the tree and the usage") {
    std::string seen;
    run_clean([&]() -> task<> {
        event dumped;
        auto keep = [&](std::string_view text) {
            seen = text;
            dumped.set();
        };
        auto provoke = [&]() -> task<> {
            name_this_job("provoker");
            for (int i = 0; i < 3; ++i) {
                dumped.reset();
                ::raise(SIGUSR1);
                co_await dumped.wait();
            }
        };
        co_await when_any(provoke(), dump_on(SIGUSR1, keep));
        CHECK_FALSE(is_caught(SIGUSR1));
    });
    CHECK(seen.find("provoker: waiting for event") != std::string::npos);
    CHECK(seen.find("dump_on: running") != std::string::npos);
    CHECK(seen.find("operations in flight") != std::string::npos);
    CHECK(seen.find("\nresident ") != std::string::npos);
}

TEST_CASE("dump_on: the signal is caught from the call on") {
    run_clean([]() -> task<> {
        task<> dumping = dump_on(SIGUSR1);
        CHECK(is_caught(SIGUSR1));
        dumping = []() -> task<> { co_return; }();
        CHECK_FALSE(is_caught(SIGUSR1)); // it was never awaited
        co_return;
    });
}
