// SPDX-License-Identifier: MIT
#include "operation_queue.hpp"

#include "operation.hpp"
#include <utility>

namespace coracle::detail {

void operation_queue::push(operation& op) noexcept {
    push_front(op);
    last_ = &op;
}

void operation_queue::push_front(operation& op) noexcept {
    if (!last_) {
        op.next = &op;
        op.previous = &op;
        last_ = &op;
        return;
    }
    op.previous = last_;
    op.next = std::exchange(last_->next, &op);
    op.next->previous = &op;
}

operation* operation_queue::pop() noexcept {
    if (!last_)
        return nullptr;
    operation* const first = last_->next;
    unlink(*first);
    return first;
}

bool operation_queue::remove(operation& op) noexcept {
    if (!op.next)
        return false;
    unlink(op);
    return true;
}

void operation_queue::unlink(operation& op) noexcept {
    if (&op == last_)
        last_ = op.next == &op ? nullptr : op.previous;
    op.previous->next = op.next;
    op.next->previous = op.previous;
    op.next = nullptr;
    op.previous = nullptr;
}

} // namespace coracle::detail
