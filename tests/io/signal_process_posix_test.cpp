// SPDX-License-Identifier: MIT
//
// Signals beyond one thread: in forked children, on several threads, and while a set ends.

#include "clean_run.hpp"
#include "connected.hpp"

#include <atomic>
#include <coracle/coracle.hpp>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace coracle;
using namespace coracle::test;

namespace {

/// Runs `body` in a forked child, whose exit code it gives, and returns how the child has ended.
template <class Body>
int status_of_child(Body body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
        ::_exit(body());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

std::atomic<int> seen_by_old_handler = 0;

void old_handler(int) {
    ++seen_by_old_handler;
}

} // namespace

TEST_CASE("signal_set: a signal of a forked child is the child's own") {
    run_clean([]() -> task<> {
        signal_set signals({SIGINT, SIGUSR2});
        const int status = status_of_child([] {
            std::raise(SIGUSR2);
            return 0;
        });
        CHECK(WIFSIGNALED(status)); // as it would have without the set
        CHECK(WTERMSIG(status) == SIGUSR2);
        std::raise(SIGINT);
        const int next = co_await signals.next();
        CHECK(next == SIGINT);
    });
}

TEST_CASE("signal_set: a forked child has the handler from before, and can have a set of its own") {
    const auto before = std::signal(SIGUSR2, old_handler);
    run_clean([]() -> task<> {
        signal_set signals({SIGINT, SIGUSR2});
        const int handled = status_of_child([] {
            seen_by_old_handler = 0;
            std::raise(SIGUSR2);
            std::raise(SIGUSR2);
            return seen_by_old_handler.load();
        });
        CHECK(WIFEXITED(handled));
        CHECK(WEXITSTATUS(handled) == 2);
        const int own = status_of_child([] {
            try {
                const signal_set again({SIGUSR2});
                seen_by_old_handler = 0;
                std::raise(SIGUSR2);
                return seen_by_old_handler.load();
            } catch (const std::invalid_argument&) {
                return 1;
            }
        });
        CHECK(WIFEXITED(own));
        CHECK(WEXITSTATUS(own) == 0);
        std::raise(SIGINT);
        const int next = co_await signals.next();
        CHECK(next == SIGINT);
    });
    std::signal(SIGUSR2, before);
}

TEST_CASE("signal_set: a forked child's copy of a set takes nothing from the child's own set") {
    run_clean([]() -> task<> {
        std::optional<signal_set> signals;
        signals.emplace({SIGUSR2});
        const int status = status_of_child([&] {
            const signal_set own({SIGUSR2});
            signals.reset();
            std::raise(SIGUSR2); // which would end it
            return 0;
        });
        CHECK(WIFEXITED(status));
        std::raise(SIGUSR2);
        const int next = co_await signals->next();
        CHECK(next == SIGUSR2);
    });
}

TEST_CASE("signal_set: sets on two threads each get their own signals") {
    std::atomic<int> ready = 0;
    const auto wait_for = [&](int number) {
        run([](int own, std::atomic<int>& both) -> task<> {
            signal_set signals({own});
            ++both;
            while (both < 2)
                co_await yield();
            for (int i = 0; i < 100; ++i) {
                ::kill(::getpid(), own); // which any thread may handle
                const int next = co_await signals.next();
                CHECK(next == own);
            }
            ++both;
            while (both < 4)
                co_await yield();
        }(number, ready));
    };
    std::thread second(wait_for, SIGUSR1);
    wait_for(SIGUSR2);
    second.join();
}
