// SPDX-License-Identifier: MIT
//
// with_timeout and with_deadline: an end to waiting. shielded: waiting that cannot be cancelled.
#pragma once

#include "awaitable.hpp"
#include "loop.hpp"
#include "scope_awaiter.hpp"
#include "sleep.hpp"
#include <chrono>
#include <concepts>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coracle {

namespace detail {

/// A deadline, or a delay that begins when it is awaited.
class time_limit {
public:
    explicit time_limit(time_point deadline) noexcept : deadline_(deadline), is_delay_(false) {}

    explicit time_limit(std::chrono::nanoseconds delay) noexcept : delay_(delay), is_delay_(true) {}

    [[nodiscard]] time_point deadline() const { return is_delay_ ? after(delay_) : deadline_; }

private:
    time_point deadline_;
    std::chrono::nanoseconds delay_{};
    bool is_delay_;
};

[[nodiscard]] inline std::error_code timed_out_code() noexcept {
    return std::make_error_code(std::errc::timed_out);
}

/// Cancels its one child when the deadline comes.
class deadline_scope final : public scope, timer {
public:
    deadline_scope() noexcept : scope("with_deadline") {}

    void start_timer(time_point deadline) { loop::current().timer_wheel().add(*this, deadline); }

    /// The waiting job has been cancelled: an end from now on is not because of the deadline.
    void interrupt() noexcept override {
        disarm();
        scope::interrupt();
    }

    /// Whether the child has ended because of the deadline.
    [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }

private:
    void ended(child& gone) noexcept override {
        timed_out_ = expired_ && gone.failure() && is_cancellation(gone.failure());
        disarm();
    }

    void expired() noexcept override {
        expired_ = true;
        cancel_children(cancel_reason::deadline);
    }

    bool expired_ = false;
    bool timed_out_ = false;
};

/// Awaits `Awaitable` in a job of its own, which the deadline cancels.
template <class Awaitable>
class deadline_awaiter final : public scope_awaiter<deadline_awaiter<Awaitable>> {
public:
    deadline_awaiter(time_limit limit, Awaitable&& awaited)
        : deadline_(limit.deadline()), child_(as_task(std::move(awaited))) {}

    [[nodiscard]] deadline_scope& scope() noexcept { return scope_; }

    [[nodiscard]] child* adopt_children() {
        scope_.start_timer(deadline_);
        scope_.adopt(child_);
        return &child_;
    }

    await_result_t<Awaitable> finish() {
        if (scope_.timed_out())
            throw std::system_error(timed_out_code());
        return child_.take();
    }

private:
    time_point deadline_;
    result_child<await_result_t<Awaitable>> child_;
    deadline_scope scope_;
};

/// An operation, a sleep, an event: what needs no job of its own to be interrupted.
template <class Type>
concept interruptible = std::derived_from<awaiter_t<Type>, awaiter> && fallible<Type> &&
                        requires(awaiter_t<Type>& waiting) { waiting.interrupt(); };

/// The deadline interrupts the operation itself.
template <interruptible Awaitable>
class deadline_awaiter<Awaitable> final : timer {
public:
    deadline_awaiter(time_limit limit, Awaitable&& awaited)
        : deadline_(limit.deadline()), awaited_(std::move(awaited)) {}

    deadline_awaiter(const deadline_awaiter&) = delete;
    deadline_awaiter& operator=(const deadline_awaiter&) = delete;

    [[nodiscard]] bool await_ready() { return awaited_.get().await_ready(); }

    template <std::derived_from<promise_base> Promise>
    [[nodiscard]] auto await_suspend(std::coroutine_handle<Promise> awaiting) {
        job_ = awaiting.promise().owner;
        const auto suspended = awaited_.get().await_suspend(awaiting);
        if (is_pending())
            loop::current().timer_wheel().add(*this, deadline_);
        return suspended;
    }

    await_result_t<Awaitable> await_resume() {
        return value_of_result<await_result_t<Awaitable>>(await_result());
    }

    [[nodiscard]] auto await_result() {
        disarm();
        auto ended = awaited_.get().await_result();
        if (!ended && expired_ && ended.error() == std::errc::operation_canceled)
            ended = timed_out_code();
        return ended;
    }

private:
    [[nodiscard]] bool is_pending() noexcept {
        return job_->pending() == static_cast<const awaiter*>(&awaited_.get());
    }

    void expired() noexcept override {
        if (!is_pending() || job_->cancelled())
            return;
        expired_ = true;
        awaited_.get().interrupt();
    }

    time_point deadline_;
    owned_awaiter<Awaitable> awaited_;
    job* job_ = nullptr;
    bool expired_ = false;
};

/// Keeps the cancellation of the waiting job from its one child.
class shield_scope final : public scope {
public:
    shield_scope() noexcept : scope("shielded") {}

    void interrupt() noexcept override {}

private:
    void ended(child&) noexcept override {}
};

template <class Awaitable>
class shield_awaiter final : public scope_awaiter<shield_awaiter<Awaitable>> {
public:
    explicit shield_awaiter(Awaitable&& awaited) : child_(as_task(std::move(awaited))) {}

    static constexpr bool can_be_refused = false;

    [[nodiscard]] shield_scope& scope() noexcept { return scope_; }

    [[nodiscard]] child* adopt_children() noexcept {
        scope_.adopt(child_);
        return &child_;
    }

    await_result_t<Awaitable> finish() { return child_.take(); }

private:
    result_child<await_result_t<Awaitable>> child_;
    shield_scope scope_;
};

} // namespace detail

/// Awaits `awaited`, but cancels it when `deadline` comes, and awaits its end all the same.
///
/// errors   timed_out, if it ended because of the deadline; its own value or exception otherwise,
///          also when that came late
/// cost     of an operation a timer, and no frame; else a job in the awaiting frame
template <awaitable Awaitable>
[[nodiscard]] auto with_deadline(time_point deadline, Awaitable awaited) {
    return detail::awaitable_parts<detail::deadline_awaiter<Awaitable>, detail::time_limit,
                                   Awaitable>(detail::time_limit(deadline), std::move(awaited));
}

/// The same with a deadline `limit` after it is awaited:
/// `co_await with_timeout(5s, peer.read(buffer))`.
template <class Representation, class Period, awaitable Awaitable>
[[nodiscard]] auto with_timeout(std::chrono::duration<Representation, Period> limit,
                                Awaitable awaited) {
    return detail::awaitable_parts<detail::deadline_awaiter<Awaitable>, detail::time_limit,
                                   Awaitable>(detail::time_limit(detail::saturated(limit)),
                                              std::move(awaited));
}

/// Awaits `awaited` to its own end even if the awaiting job has been or is being cancelled: for
/// clean-up that has to wait. The job stays cancelled: its next await ends at once.
template <awaitable Awaitable>
[[nodiscard]] auto shielded(Awaitable awaited) {
    return detail::awaitable_parts<detail::shield_awaiter<Awaitable>, Awaitable>(
        std::move(awaited));
}

} // namespace coracle
