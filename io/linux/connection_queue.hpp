// SPDX-License-Identifier: MIT
//
// connection_queue: connections that were accepted and that nobody has taken yet. A ring that grows
// to the most there have been at once, so that a listener that is never quiet needs no more.
// Private.
#pragma once

#include "../network.hpp"
#include <cstddef>
#include <vector>

namespace coracle::uring {

class connection_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] std::size_t capacity() const noexcept { return handles_.size(); }

    /// Throws std::bad_alloc.
    void push(native_handle accepted) {
        if (size_ == handles_.size())
            grow();
        handles_[(first_ + size_++) % handles_.size()] = accepted;
    }

    /// Of a queue that is not empty.
    [[nodiscard]] native_handle pop() noexcept {
        const native_handle oldest = handles_[first_];
        first_ = (first_ + 1) % handles_.size();
        --size_;
        return oldest;
    }

private:
    void grow() {
        std::vector<native_handle> larger(handles_.empty() ? 16 : 2 * handles_.size());
        for (std::size_t i = 0; i < size_; ++i)
            larger[i] = handles_[(first_ + i) % handles_.size()];
        handles_.swap(larger);
        first_ = 0;
    }

    std::vector<native_handle> handles_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

} // namespace coracle::uring
