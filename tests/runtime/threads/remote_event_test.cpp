// SPDX-License-Identifier: MIT
//
// remote_event: set on other threads while the loop runs, sleeps and ends.
#include "virtual_loop.hpp"
#include "waiting_driver.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/loop.hpp>
#include <coracle/runtime/threads/remote_event.hpp>
#include <coracle/runtime/timeout.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <thread>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

TEST_CASE("remote_event: another thread ends a wait, and the event may go at once") {
    waiting_driver sleeper;
    loop here(sleeper);
    auto main = []() -> task<> {
        for (int i = 0; i < 200; ++i) {
            auto done = std::make_unique<remote_event>();
            std::thread setter([&set_it = *done] { CHECK(set_it.set()); });
            co_await done->wait();
            CHECK(done->is_set());
            done.reset();
            setter.join();
        }
    };
    here.run(main());
}

TEST_CASE_FIXTURE(virtual_loop, "remote_event: reset makes later waits wait") {
    run([]() -> task<> {
        remote_event flag;
        CHECK_FALSE(flag.is_set());
        flag.set();
        CHECK_FALSE(flag.is_set()); // not before the next iteration
        co_await flag.wait();
        flag.reset();
        const result<void> waited = co_await as_result(with_timeout(1ms, flag.wait()));
        CHECK(waited.error() == std::errc::timed_out);
    });
}

TEST_CASE("remote_event: setting one whose loop has ended is refused") {
    virtual_clock clock;
    std::optional<loop> brief(std::in_place, clock);
    const remote_event late;
    brief.reset();
    CHECK_FALSE(late.set());
}
