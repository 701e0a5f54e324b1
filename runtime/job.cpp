// SPDX-License-Identifier: MIT
#include "job.hpp"

#include "../memory/fatal.hpp"
#include "diagnostics/warning.hpp"
#include <fmt/format.h>

namespace coracle {

namespace {

/// A job that has awaited so often since it was cancelled is named, and again each time that the
/// number is ten times as large.
constexpr std::uint32_t first_warning_at = 1000;

bool is_warning_due(std::uint32_t refusals) noexcept {
    std::uint64_t due = first_warning_at;
    while (due < refusals)
        due *= 10;
    return due == refusals;
}

} // namespace

void awaiter::abandoned() const noexcept {
    const std::source_location at = waiter_->where();
    detail::fatal(
        fmt::format("a frame was destroyed or moved while it waits on a {}, in {} ({}:{}): "
                    "cancel it and await its end instead",
                    kind_, at.function_name(), at.file_name(), at.line()));
}

void job::cancel(coracle::cancel_reason why) noexcept {
    if (cancelled())
        return;
    if (!ready_->on_own_thread()) [[unlikely]]
        detail::used_on_wrong_thread("job::cancel");
    reason_ = why;
    refusing_ = true;
    if (awaiter_)
        awaiter_->interrupt();
    else if (current() == this)
        detail::this_thread.inline_budget = detail::inline_budget_spent;
}

void job::refuse_next() noexcept {
    refusing_ = true;
    if (current() == this)
        detail::this_thread.inline_budget = detail::inline_budget_spent;
}

bool job::refuse(const detail::promise_base& frame) noexcept {
    refusing_ = cancelled();
    if (!cancelled())
        return true;
    ++refusals_;
    if (refusals_ < first_warning_at || !is_warning_due(refusals_)) [[likely]]
        return true;
    try {
        const std::source_location at = frame.where.get();
        warning(fmt::format("the job {} was cancelled ({}) and has awaited {} times since, now in "
                            "{} ({}:{}): let its loop end",
                            name(), to_string(reason_), refusals_, at.function_name(),
                            at.file_name(), at.line()));
    } catch (...) {
        warning("a cancelled job goes on awaiting");
    }
    return true;
}

void awaiter::woken_on_wrong_thread() const noexcept {
    const std::source_location at = waiter_->where();
    detail::fatal(fmt::format("the wait for a {} in {} ({}:{}) was ended on another thread than "
                              "that of its loop: post it there by loop_handle::post, or use a "
                              "remote_event",
                              kind_, at.function_name(), at.file_name(), at.line()));
}

} // namespace coracle
