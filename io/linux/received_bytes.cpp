// SPDX-License-Identifier: MIT
#include "received_bytes.hpp"

#include "../operation.hpp"
#include <algorithm>
#include <array>
#include <cstring>

namespace coracle::uring {

buffer_lease received_bytes::release() noexcept {
    const std::size_t size = left().size();
    std::memmove(buffer.data(), left().data(), size);
    buffer.resize(size);
    return std::move(buffer);
}

void received_bytes::give_back() noexcept {
    buffer.reset();
    taken = 0;
    next = *home;
    *home = this;
}

std::size_t copy_into(operation& read, std::span<const std::byte> bytes) noexcept {
    if (read.code() != opcode::read_vector) {
        auto& single = static_cast<transfer_operation&>(read);
        const std::size_t size = std::min(single.size(), bytes.size());
        std::memcpy(single.data(), bytes.data(), size);
        return size;
    }
    std::array<vector_operation::part, vector_operation::max_parts> parts;
    const std::size_t used = static_cast<vector_operation&>(read).remaining(parts);
    std::size_t copied = 0;
    for (std::size_t i = 0; i < used && copied < bytes.size(); ++i) {
        const std::size_t size = std::min(parts[i].size, bytes.size() - copied);
        std::memcpy(parts[i].data, bytes.data() + copied, size);
        copied += size;
    }
    return copied;
}

void received_queue::push(received_bytes& added) noexcept {
    added.next = nullptr;
    (last_ ? last_->next : first_) = &added;
    last_ = &added;
    ++size_;
}

void received_queue::pop() noexcept {
    first_ = first_->next;
    if (!first_)
        last_ = nullptr;
    --size_;
}

} // namespace coracle::uring
