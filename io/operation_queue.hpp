// SPDX-License-Identifier: MIT
//
// operation_queue: operations that wait for something, in order. Intrusive: an operation is in one
// at most. The last one leads back to the first, so that a queue is one pointer: every connection
// has two of these.
#pragma once

namespace coracle {

class operation;

namespace detail {

class operation_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return !last_; }

    void push(operation& op) noexcept;
    void push_front(operation& op) noexcept;
    [[nodiscard]] operation* pop() noexcept;

    /// Takes an operation out that is in this queue or in none; false if it is in none.
    bool remove(operation& op) noexcept;

private:
    void unlink(operation& op) noexcept;

    operation* last_ = nullptr;
};

} // namespace detail

} // namespace coracle
