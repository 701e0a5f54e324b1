// SPDX-License-Identifier: MIT
#include "scope.hpp"

#include "../memory/fatal.hpp"
#include "diagnostics/inspect.hpp"
#include <fmt/format.h>

namespace coracle::detail {

std::coroutine_handle<> child::finished() noexcept {
    return scope_->retire(*this);
}

const job* child::parent() const noexcept {
    return scope_->waiter();
}

void scope::destroyed_with_children() const noexcept {
    fatal(fmt::format("a {} was destroyed while jobs in it run", kind()));
}

std::coroutine_handle<> scope::run_children(promise_base& frame, child& first) noexcept {
    begin_join(frame);
    child* each = &first;
    while (child* const next = each->previous_) {
        each->run_at_once();
        each = next;
    }
    return each->enter();
}

void scope::cancel_children(cancel_reason why) noexcept {
    if (!children_cancelled())
        reason_ = why;
    // Cancelling never resumes a job, so the list stays as it is meanwhile.
    for (child* each = first_; each; each = each->next_)
        each->cancel(why);
}

std::coroutine_handle<> scope::retire(child& gone) noexcept {
    (gone.previous_ ? gone.previous_->next_ : first_) = gone.next_;
    if (gone.next_)
        gone.next_->previous_ = gone.previous_;
    ended(gone);
    gone.retired();
    // Whoever is ready already, because the children before this one had ended, is not woken again.
    if (!first_ && waiter() && waiter()->pending() == this)
        return waiter()->wake_inline();
    return std::noop_coroutine();
}

void scope::describe(awaiter_notes& notes) const {
    for (const child* each = first_; each; each = each->next_)
        notes.children.push_back(each);
}

void failing_scope::ended(child& gone) noexcept {
    const std::exception_ptr& failure = gone.failure();
    if (!failure)
        return;
    if (children_cancelled() && is_cancellation(failure)) {
        cancellation_seen_ = true;
    } else if (gone.failure_reported_) {
        warn_of_failure("a job failed", site_of(failure, gone.site()), failure);
    } else if (first_failure_) {
        lost_.add(failure, site_of(failure, gone.site()));
    } else {
        first_failure_ = failure;
        first_site_ = site_of(failure, gone.site());
        cancel_children(cancel_reason::sibling_failed);
    }
}

void failing_scope::rethrow() const {
    if (first_failure_) {
        remember_failure(first_failure_, first_site_);
        std::rethrow_exception(first_failure_);
    }
    if (cancellation_seen_ && !absorbing_)
        throw cancelled();
}

} // namespace coracle::detail
