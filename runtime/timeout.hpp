// SPDX-License-Identifier: MIT
//
// with_timeout and with_deadline: an end to waiting. shielded: waiting that cannot be cancelled.
#pragma once

#include "awaitable.hpp"
#include "loop.hpp"
#include "scope.hpp"
#include "sleep.hpp"
#include <chrono>
#include <system_error>
#include <utility>

namespace coracle {

namespace detail {

/// Cancels its one child when the deadline comes.
class deadline_scope final : public scope, timer {
public:
    explicit deadline_scope(time_point deadline) noexcept : scope("with_deadline") {
        loop::current().timer_wheel().add(*this, deadline);
    }

    template <class T>
    void start(result_child<T>& only) noexcept {
        adopt(only);
        only.begin();
    }

    /// The waiting job has been cancelled: from here on it is not the deadline that ends anything.
    void interrupt() noexcept override {
        disarm();
        cancel_children();
    }

    /// Whether the child, which has ended, did so because its time was over.
    [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }

private:
    void ended(child& gone) noexcept override {
        timed_out_ = expired_ && gone.failure() && is_cancellation(gone.failure());
        disarm();
    }

    void expired() noexcept override {
        expired_ = true;
        cancel_children();
    }

    bool expired_ = false;
    bool timed_out_ = false;
};

/// Keeps the cancellation of the waiting job from its one child.
class shield_scope final : public scope {
public:
    shield_scope() noexcept : scope("shielded") {}

    template <class T>
    void start(result_child<T>& only) noexcept {
        adopt(only);
        only.begin();
    }

    void interrupt() noexcept override {}

private:
    void ended(child&) noexcept override {}
};

} // namespace detail

/// Awaits `awaited`, but cancels it when `deadline` comes, and awaits its end all the same.
///
/// errors   timed_out, if it ended because of the deadline; its own value or exception otherwise,
///          also when that came late
template <awaitable Awaitable>
task<await_result_t<Awaitable>> with_deadline(time_point deadline, Awaitable awaited) {
    detail::result_child<await_result_t<Awaitable>> child(detail::as_task(std::move(awaited)));
    detail::deadline_scope limited(deadline);
    limited.start(child);
    co_await limited.join();
    if (limited.timed_out())
        throw std::system_error(std::make_error_code(std::errc::timed_out));
    co_return child.take();
}

/// The same with a deadline `limit` after it is awaited:
/// `co_await with_timeout(5s, peer.read(buffer))`.
template <class Representation, class Period, awaitable Awaitable>
task<await_result_t<Awaitable>> with_timeout(std::chrono::duration<Representation, Period> limit,
                                             Awaitable awaited) {
    const time_point deadline = detail::after(detail::saturated(limit));
    co_return co_await with_deadline(deadline, std::move(awaited));
}

/// Awaits `awaited` to its own end even if the awaiting job has been or is being cancelled: for
/// clean-up that has to wait. The job stays cancelled: its next wait ends at once.
template <awaitable Awaitable>
task<await_result_t<Awaitable>> shielded(Awaitable awaited) {
    detail::result_child<await_result_t<Awaitable>> child(detail::as_task(std::move(awaited)));
    detail::shield_scope shield;
    shield.start(child);
    co_await shield.join();
    co_return child.take();
}

} // namespace coracle
