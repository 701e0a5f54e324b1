// SPDX-License-Identifier: MIT
//
// this_job: what the running job can ask about itself, and check_cancelled.
#pragma once

#include "job.hpp"
#include "result.hpp"
#include <concepts>
#include <coroutine>

namespace coracle {

namespace this_job {

/// Whether the running job is cancelled; false where no job runs.
[[nodiscard]] inline bool cancelled() noexcept {
    const job* const running = job::current();
    return running && running->cancelled();
}

/// Why the running job was cancelled; cancel_reason::none if it was not.
[[nodiscard]] inline coracle::cancel_reason cancel_reason() noexcept {
    const job* const running = job::current();
    return running ? running->cancel_reason() : coracle::cancel_reason::none;
}

} // namespace this_job

/// The awaitable of check_cancelled.
class [[nodiscard]] check_operation final {
public:
    check_operation() noexcept = default;

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        detail::promise_base& frame = awaiting.promise();
        cancelled_ = frame.owner->refuses(frame);
        return frame.owner->should_yield(frame);
    }

    void await_resume() const { await_result().value(); }

    [[nodiscard]] result<void> await_result() const noexcept {
        return cancelled_ ? result<void>(detail::cancelled_code()) : result<void>();
    }

private:
    bool cancelled_ = false;
};

/// For a computation that awaits nothing else: ends with cancellation if the job is cancelled, and
/// lets other jobs run now and then.
///
/// errors   operation_canceled
/// cost     a few instructions; one pass through the ready queue in 64 calls
[[nodiscard]] inline check_operation check_cancelled() noexcept {
    return {};
}

} // namespace coracle
