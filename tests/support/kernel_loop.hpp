// SPDX-License-Identifier: MIT
//
// kernel_loop: a loop on the backend under test that is put together by hand, so that a test stands
// between the two: it can see each poll, stop the clock, and run first after a poll. A fixture for
// await_point_sweep. Nothing may be left when it goes.
#pragma once

#include "await_point_sweep.hpp"
#include "clean_run.hpp"
#include "connected.hpp"

#include <algorithm>
#include <chrono>
#include <coracle/io/backend.hpp>
#include <coracle/io/context.hpp>
#include <coracle/runtime/driver.hpp>
#include <coracle/runtime/loop.hpp>
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace coracle::test {

/// The backend that CORACLE_BACKEND names, or the best that works here.
inline std::unique_ptr<backend> make_backend_under_test(const context_options& options) {
    const char* const forced = std::getenv("CORACLE_BACKEND");
    const std::string_view wanted = forced ? forced : "";
    std::string reason = "there is none of that name";
    for (const detail::backend_kind& kind : detail::backend_kinds()) {
        if (!wanted.empty() && kind.name != wanted)
            continue;
        std::unique_ptr<backend> made = kind.make(options, reason);
        if (made)
            return made;
    }
    throw std::runtime_error("no backend: " + reason);
}

/// What stands between the loop and its kernel.
class watched_driver final : public driver {
public:
    explicit watched_driver(const context_options& options)
        : kernel_(make_backend_under_test(options)) {
        backend::set_current(kernel_.get());
    }

    ~watched_driver() {
        kernel_->finish_closing();
        CHECK(kernel_->operations_in_flight() == 0);
        CHECK(kernel_->descriptors() == 0);
        kernel_->detach_all();
        backend::set_current(nullptr);
    }

    [[nodiscard]] time_point now() noexcept override {
        return (stopped_at_ ? *stopped_at_ : kernel_->now()) + ahead_;
    }

    void poll(time_point deadline) override {
        ++polls_;
        const time_point hangs = kernel_->now() + longest_test;
        const bool plain = deadline == time_point::min() || deadline == time_point::max();
        kernel_->poll(std::min(plain ? deadline : deadline - ahead_, hangs));
        if (kernel_->now() >= hangs)
            throw std::runtime_error("nothing has happened for too long");
        if (waiting_)
            schedule_first(*std::exchange(waiting_, nullptr));
    }

    void wake() noexcept override { kernel_->wake(); }

    [[nodiscard]] backend& kernel() noexcept { return *kernel_; }

    [[nodiscard]] std::size_t polls() const noexcept { return polls_; }

    /// From now on time stands still for the loop, so that no timer can expire.
    void stop_clock() noexcept { stopped_at_ = kernel_->now(); }

    /// Puts the clock forward, so that timers expire.
    void put_forward(std::chrono::nanoseconds by) noexcept { ahead_ += by; }

    /// Suspends until the next poll, and goes on before whatever that has made ready.
    class [[nodiscard]] until_polled {
    public:
        explicit until_polled(watched_driver& by) noexcept : driver_(&by) {}

        [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

        template <std::derived_from<detail::promise_base> Promise>
        void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
            driver_->waiting_ = &awaiting.promise();
        }

        static void await_resume() noexcept {}

    private:
        watched_driver* driver_;
    };

private:
    std::unique_ptr<backend> kernel_;
    std::size_t polls_ = 0;
    std::optional<time_point> stopped_at_;
    std::chrono::nanoseconds ahead_{0};
    detail::promise_base* waiting_ = nullptr;
};

class kernel_loop {
public:
    static constexpr bool exact_time = false;

    explicit kernel_loop(const context_options& options = {}) : port(options) {}

    kernel_loop(const kernel_loop&) = delete;
    kernel_loop& operator=(const kernel_loop&) = delete;

    ~kernel_loop() {
        CHECK(event_loop.timer_wheel().empty());
        CHECK(event_loop.ready().empty());
    }

    /// Runs the task that `body()` gives, and keeps the captures of `body` alive meanwhile.
    template <class Body>
    auto run(Body body) {
        return event_loop.run(body());
    }

    [[nodiscard]] watched_driver::until_polled until_ready() noexcept {
        return watched_driver::until_polled(port);
    }

    [[nodiscard]] task<> check_usable() {
        connection ends = co_await connect_ends();
        co_await ends.here.write(std::string_view("x"));
        const std::string text = co_await read_text(ends.there, 1);
        CHECK(text == "x");
        co_await sleep_for(std::chrono::nanoseconds(1));
    }

private:
    /// Looks, when all the rest is gone, whether it is.
    struct nothing_left {
        possessions before;

        ~nothing_left() { check_unchanged(before); }
    } nothing_left_;

public:
    watched_driver port;
    coracle::loop event_loop{port};
};

} // namespace coracle::test
