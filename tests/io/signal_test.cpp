// SPDX-License-Identifier: MIT
//
// Signals as something to await.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <csignal>
#include <stdexcept>
#include <string>

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
        signal_set signals({SIGINT});
        auto raising = []() -> task<> {
            co_await iterations();
            std::raise(SIGINT);
        };
        auto both = co_await when_all(signals.next(), raising());
        CHECK(std::get<0>(both) == SIGINT);
    });
}

TEST_CASE("signal_set: keeps signals that come while nobody waits, in order") {
    run_clean([]() -> task<> {
        signal_set signals({SIGINT, SIGTERM});
        for (const int number : {SIGTERM, SIGINT, SIGINT, SIGTERM})
            std::raise(number);
        for (const int number : {SIGTERM, SIGINT, SIGINT, SIGTERM}) {
            const int next = co_await signals.next();
            CHECK(next == number);
        }
    });
}

TEST_CASE("signal_set: two sets at once each get their own") {
    run_clean([]() -> task<> {
        signal_set one({SIGINT});
        signal_set other({SIGTERM});
        std::raise(SIGTERM);
        std::raise(SIGINT);
        const int first = co_await one.next();
        const int second = co_await other.next();
        CHECK(first == SIGINT);
        CHECK(second == SIGTERM);
    });
}

TEST_CASE("signal_set: brings back what the signals did before") {
    const auto before = std::signal(SIGINT, old_handler);
    seen_by_old_handler = 0;
    run_clean([]() -> task<> {
        signal_set signals({SIGINT});
        std::raise(SIGINT);
        const int next = co_await signals.next();
        CHECK(next == SIGINT);
        CHECK(seen_by_old_handler == 0);
    });
    std::raise(SIGINT);
    CHECK(seen_by_old_handler == 1);
    std::signal(SIGINT, before);
}

TEST_CASE("signal_set: a signal can be in one set at a time, and a failed set leaves nothing") {
    const auto before = std::signal(SIGTERM, old_handler);
    seen_by_old_handler = 0;
    run_clean([]() -> task<> {
        signal_set first({SIGINT});
        CHECK_THROWS_AS(signal_set({SIGTERM, SIGINT}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({SIGTERM, SIGTERM}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({0}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({-1}), std::invalid_argument);
        CHECK_THROWS_AS(signal_set({65}), std::invalid_argument);
        std::raise(SIGTERM); // not caught by any set
        CHECK(seen_by_old_handler == 1);
        signal_set second({SIGTERM}); // and still to be had
        std::raise(SIGINT);
        const int next = co_await first.next();
        CHECK(next == SIGINT);
    });
    std::signal(SIGTERM, before);
}

TEST_CASE("signal_set: waiting can be cancelled and times out, and loses nothing") {
    run_clean([]() -> task<> {
        signal_set signals({SIGINT});
        const auto gone = co_await cancel_at(moment::while_pending, signals.next());
        CHECK(gone.error() == std::errc::operation_canceled);
        const auto late = co_await as_result(with_timeout(2ms, signals.next()));
        CHECK(late.error() == std::errc::timed_out);
        std::raise(SIGINT);
        const auto not_begun = co_await cancel_at(moment::before_start, signals.next());
        CHECK(not_begun.error() == std::errc::operation_canceled);
        const int next = co_await signals.next();
        CHECK(next == SIGINT);
    });
}

TEST_CASE("signal_set: a flood is not waited for") {
    run_clean([]() -> task<> {
        signal_set signals({SIGINT});
        for (int i = 0; i < 100'000; ++i)
            std::raise(SIGINT); // more than its buffer holds: the handler must not block
        int count = 0;
        for (;; ++count) {
            const auto next = co_await as_result(with_timeout(20ms, signals.next()));
            if (!next)
                break;
        }
        CHECK(count > 100);
        std::raise(SIGINT);
        const int next = co_await signals.next();
        CHECK(next == SIGINT);
    });
}
