// SPDX-License-Identifier: MIT
//
// Signals that only POSIX has.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <csignal>
#include <sys/time.h>
#include <system_error>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

TEST_CASE("signal_set: a signal that cannot be caught is refused") {
    CHECK_THROWS_AS(signal_set({SIGKILL}), std::system_error);
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
                co_await ends.there.write("x"sv);
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
