// SPDX-License-Identifier: MIT
//
// received_bytes: what a multishot receive has brought and nobody has taken yet. Private.
#pragma once

#include "../buffer_pool.hpp"
#include <cstddef>
#include <span>

namespace coracle {

class operation;

namespace uring {

/// One buffer of them: a slot of a buffer_group.
struct received_bytes {
    buffer_lease buffer;
    std::size_t taken = 0; // of these, from the front
    received_bytes* next = nullptr;
    received_bytes** home = nullptr; // the list of free slots that it is from
    bool lent = false;               // the kernel is still to fill it

    [[nodiscard]] std::span<const std::byte> left() const noexcept {
        return std::span<const std::byte>(buffer.data(), buffer.size()).subspan(taken);
    }

    /// The buffer, with what is left at its beginning.
    [[nodiscard]] buffer_lease release() noexcept;

    /// Gives the buffer back, if it still has one, and the slot.
    void give_back() noexcept;
};

/// Copies bytes to where a read wants them. Returns how many.
[[nodiscard]] std::size_t copy_into(operation& read, std::span<const std::byte> bytes) noexcept;

/// In the order in which they came. Intrusive.
class received_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return !first_; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] received_bytes* first() const noexcept { return first_; }

    void push(received_bytes& added) noexcept;
    void pop() noexcept;

private:
    received_bytes* first_ = nullptr;
    received_bytes* last_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace uring

} // namespace coracle
