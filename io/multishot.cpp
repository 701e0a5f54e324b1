// SPDX-License-Identifier: MIT
#include "multishot.hpp"

#include "../memory/fatal.hpp"
#include "../memory/frame_allocator.hpp"
#include "backend.hpp"
#include "operation.hpp"
#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

namespace coracle::detail {

void connection_queue::push(native_handle accepted) {
    handles_.push_back(accepted);
}

native_handle connection_queue::pop() noexcept {
    const native_handle oldest = handles_[taken_++];
    if (empty()) {
        handles_.clear();
        taken_ = 0;
    }
    return oldest;
}

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
    if (read.code() == opcode::read) {
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

void* multishot::operator new(std::size_t bytes) {
    return allocate_frame(bytes);
}

void multishot::operator delete(void* block, std::size_t bytes) noexcept {
    deallocate_frame(block, bytes);
}

multishot_use::multishot_use(descriptor_ref target, buffer_pool* into)
    : target_(std::move(target)), into_(into) {
    if (!target_ || !target_->open())
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "the socket is closed");
    if (!target_->shots)
        target_->shots = std::make_unique<multishot>();
    if (target_->shots->wanted)
        throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                                "a multishot of this socket is there already");
    if (!into_ && !target_->shots->connections)
        target_->shots->connections = std::make_unique<connection_queue>();
    target_->shots->wanted = true;
    target_->shots->pool = into_;
    if (into_)
        into_->add_user();
}

void multishot_use::end() noexcept {
    const descriptor_ref ended = std::move(target_);
    if (!ended)
        return;
    ended->shots->wanted = false;
    if (into_)
        into_->remove_user();
    if (!ended->owner)
        return;
    if (ended->owner != backend::current())
        fatal("a multishot ended on another thread than that of the loop that used it");
    ended->owner->disarm(*ended);
}

} // namespace coracle::detail
