// SPDX-License-Identifier: MIT
//
// Signals as something to await.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <csignal>
#include <stdexcept>
#include <string>
#include <sys/time.h>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

int seen_by_old_handler = 0;

void old_handler(int) {
    ++seen_by_old_handler;
}

} // namespace

TEST_CASE("signal_set: waits for a signal") {
    run_clean([]() -> task<> {
        signal_set signals({SIGUSR1});
        auto raising = []() -> task<> {
            co_await turns();
            std::raise(SIGUSR1);
        };
        auto both = co_await when_all(signals.next(), raising());
        CHECK(std::get<0>(both) == SIGUSR1);
    });
}

TEST_CASE("signal_set: keeps signals that come while nobody waits, in order") {
    run_clean([]() -> task<> {
        signal_set signals({SIGUSR1, SIGUSR2, SIGTERM});
        for (const int number : {SIGUSR2, SIGTERM, SIGUSR1, SIGUSR1})
            std::raise(number);
        for (const int number : {SIGUSR2, SIGTERM, SIGUSR1, SIGUSR1}) {
            const int next = co_await signals.next();
            CHECK(next == number);
        }
    });
}

TEST_CASE("signal_set: two sets at once each get their own") {
    run_clean([]() -> task<> {
        signal_set one({SIGUSR1});
        signal_set other({SIGUSR2});
        std::raise(SIGUSR2);
        std::raise(SIGUSR1);
        const int first = co_await one.next();
        const int second = co_await other.next();
        CHECK(first == SIGUSR1);
        CHECK(second == SIGUSR2);
    });
}

TEST_CASE("signal_set: brings back what the signals did before") {
    const auto before = std::signal(SIGUSR1, old_handler);
    seen_by_old_handler = 0;
    run_clean([]() -> task<> {
        signal_set signals({SIGUSR1});
        std::raise(SIGUSR1);
        const int next = co_await signals.next();
        CHECK(next == SIGUSR1);
        CHECK(seen_by_old_handler == 0);
    });
    std::raise(SIGUSR1);
    CHECK(seen_by_old_handler == 1);
    std::signal(SIGUSR1, before);
}

TEST_CASE("signal_set: a signal can be in one set at a time, and a failed set leaves nothing") {
    const auto before = std::signal(SIGUSR2, old_handler);
    seen_by_old_handler = 0;
    run_clean([]() -> task<> {
        signal_set first({SIGUSR1});
        CHECK_THROWS_AS(signal_set({SIGUSR2, SIGUSR1}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({SIGUSR2, SIGUSR2}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({0}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({-1}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({65}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({SIGKILL}), std::system_error);
        std::raise(SIGUSR2); // not caught by any set
        CHECK(seen_by_old_handler == 1);
        signal_set second({SIGUSR2}); // and still to be had
        std::raise(SIGUSR1);
        const int next = co_await first.next();
        CHECK(next == SIGUSR1);
    });
    std::signal(SIGUSR2, before);
}

TEST_CASE("signal_set: waiting can be cancelled and times out, and loses nothing") {
    run_clean([]() -> task<> {
        signal_set signals({SIGUSR1});
        const auto gone = co_await cancelled(moment::while_pending, signals.next());
        CHECK(gone.error() == std::errc::operation_canceled);
        const auto late = co_await as_result(with_timeout(2ms, signals.next()));
        CHECK(late.error() == std::errc::timed_out);
        std::raise(SIGUSR1);
        const auto not_begun = co_await cancelled(moment::before_start, signals.next());
        CHECK(not_begun.error() == std::errc::operation_canceled);
        const int next = co_await signals.next();
        CHECK(next == SIGUSR1);
    });
}

TEST_CASE("signal_set: a flood is not waited for") {
    run_clean([]() -> task<> {
        signal_set signals({SIGUSR1});
        for (int i = 0; i < 100'000; ++i)
            std::raise(SIGUSR1); // more than its buffer holds: the handler must not block
        int count = 0;
        for (;; ++count) {
            const auto next = co_await as_result(with_timeout(20ms, signals.next()));
            if (!next)
                break;
        }
        CHECK(count > 100);
        std::raise(SIGUSR1);
        const int next = co_await signals.next();
        CHECK(next == SIGUSR1);
    });
}

TEST_CASE("signal_set: interrupted system calls go on") {
    run_clean([]() -> task<> {
        signal_set signals({SIGALRM});
        connection ends = co_await connect_ends();
        // Signals that come while the loop sleeps: it must neither fail nor miss what it waits for.
        itimerval often = {};
        often.it_interval.tv_usec = 300;
        often.it_value.tv_usec = 300;
        ::setitimer(ITIMER_REAL, &often, nullptr);
        for (int i = 0; i < 20; ++i) {
            auto answering = [&]() -> task<> {
                co_await sleep_for(2ms);
                co_await ends.there.write("x");
            };
            auto both = co_await when_all(read_text(ends.here, 1), answering());
            CHECK(std::get<0>(both) == "x");
        }
        const itimerval never = {};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        const int next = co_await signals.next();
        CHECK(next == SIGALRM);
    });
}
