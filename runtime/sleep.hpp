// SPDX-License-Identifier: MIT
//
// sleep_for, sleep_until and yield: suspend until a time, or until all others that are ready have
// run.
#pragma once

#include "loop.hpp"
#include "result.hpp"
#include <chrono>

namespace coracle {

namespace detail {

/// `delay` in nanoseconds, clamped to their range: converting hours::max() would overflow into the
/// past.
template <class Representation, class Period>
[[nodiscard]] constexpr std::chrono::nanoseconds
saturated(std::chrono::duration<Representation, Period> delay) noexcept {
    using std::chrono::nanoseconds;
    using approximate = std::chrono::duration<double, std::nano>;
    if (approximate(delay) >= approximate(nanoseconds::max()))
        return nanoseconds::max();
    if (approximate(delay) <= approximate(nanoseconds::min()))
        return nanoseconds::min();
    return std::chrono::duration_cast<nanoseconds>(delay);
}

/// `delay` after now, clamped to time_point::max().
[[nodiscard]] inline time_point after(std::chrono::nanoseconds delay) {
    const time_point present = now();
    return delay > time_point::max() - present ? time_point::max() : present + delay;
}

} // namespace detail

/// The awaitable of sleep_for and sleep_until.
class [[nodiscard]] sleep_operation final : public awaiter, timer {
public:
    explicit sleep_operation(time_point deadline) noexcept
        : awaiter("sleep"), deadline_(deadline) {}

    sleep_operation(sleep_operation&& idle) noexcept : awaiter(idle), deadline_(idle.deadline_) {}

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        detail::promise_base& frame = awaiting.promise();
        cancelled_ = frame.owner->refuses(frame);
        if (cancelled_)
            return frame.owner->should_yield(frame);
        loop::current().timer_wheel().add(*this, deadline_);
        begin(frame);
        return true;
    }

    void await_resume() { await_result().value(); }

    [[nodiscard]] result<void> await_result() noexcept {
        end();
        return cancelled_ ? result<void>(detail::cancelled_code()) : result<void>();
    }

    void interrupt() noexcept override {
        disarm();
        cancelled_ = true;
        wake();
    }

private:
    void expired() noexcept override { wake(); }

    time_point deadline_;
    bool cancelled_ = false;
};

/// Suspends until `deadline` has come.
///
/// errors   operation_canceled
/// cost     no system call; one insertion into the loop's timers
[[nodiscard]] inline sleep_operation sleep_until(time_point deadline) noexcept {
    return sleep_operation(deadline);
}

/// Suspends for `delay` at least, from now on. Zero and less: until the next iteration of the loop.
template <class Representation, class Period>
[[nodiscard]] sleep_operation sleep_for(std::chrono::duration<Representation, Period> delay) {
    return sleep_operation(detail::after(detail::saturated(delay)));
}

/// The awaitable of yield.
class [[nodiscard]] yield_operation final {
public:
    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        frame_ = &awaiting.promise();
        frame_->owner->schedule(*frame_);
    }

    void await_resume() const { await_result().value(); }

    [[nodiscard]] result<void> await_result() const noexcept {
        return frame_->owner->refuses(*frame_) ? result<void>(detail::cancelled_code())
                                               : result<void>();
    }

private:
    detail::promise_base* frame_ = nullptr;
};

/// Lets every job that is ready run first.
///
/// errors   operation_canceled
[[nodiscard]] inline yield_operation yield() noexcept {
    return {};
}

} // namespace coracle
