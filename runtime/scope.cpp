// SPDX-License-Identifier: MIT
#include "scope.hpp"

#include "../memory/fatal.hpp"
#include "diagnostics/inspect.hpp"
#include <fmt/format.h>
#include <system_error>

namespace coracle::detail {

std::coroutine_handle<> child::finished() noexcept {
    return scope_->retire(*this);
}

const job* child::parent() const noexcept {
    return scope_->waiter();
}

scope::~scope() {
    if (first_)
        fatal(fmt::format("a {} was destroyed while jobs in it run", kind()));
}

void scope::adopt(child& added) noexcept {
    added.scope_ = this;
    added.next_ = first_;
    if (first_)
        first_->previous_ = &added;
    first_ = &added;
    if (children_cancelled_)
        added.cancel();
}

void scope::cancel_children() noexcept {
    children_cancelled_ = true;
    // Cancelling never resumes a job, so the list stays as it is meanwhile.
    for (child* each = first_; each; each = each->next_)
        each->cancel();
}

std::coroutine_handle<> scope::retire(child& gone) noexcept {
    (gone.previous_ ? gone.previous_->next_ : first_) = gone.next_;
    if (gone.next_)
        gone.next_->previous_ = gone.previous_;
    ended(gone);
    gone.retired();
    if (!first_ && waiter())
        return waiter()->wake_inline();
    return std::noop_coroutine();
}

void scope::describe(awaiter_notes& notes) const {
    for (const child* each = first_; each; each = each->next_)
        notes.children.push_back(each);
}

bool is_cancellation(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const std::system_error& error) {
        return error.code() == std::errc::operation_canceled;
    } catch (...) {
        return false;
    }
}

void failing_scope::note(const std::exception_ptr& failure) noexcept {
    if (!failure)
        return;
    if (children_cancelled() && is_cancellation(failure)) {
        cancellation_seen_ = true;
    } else if (first_failure_) {
        lost_.add(failure);
    } else {
        first_failure_ = failure;
        cancel_children();
    }
}

void failing_scope::rethrow() const {
    if (first_failure_)
        std::rethrow_exception(first_failure_);
    if (cancellation_seen_ && !absorbing_)
        throw std::system_error(cancelled_code());
}

} // namespace coracle::detail
