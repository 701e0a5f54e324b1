// SPDX-License-Identifier: MIT
#include "descriptor.hpp"

#include "../memory/frame_allocator.hpp"
#include "backend.hpp"

namespace coracle {

namespace detail {

void operation_queue::push(operation& added) noexcept {
    added.next = nullptr;
    (last_ ? last_->next : first_) = &added;
    last_ = &added;
}

void operation_queue::push_front(operation& added) noexcept {
    added.next = first_;
    first_ = &added;
    if (!last_)
        last_ = &added;
}

operation* operation_queue::pop() noexcept {
    operation* const taken = first_;
    if (taken) {
        first_ = taken->next;
        if (!first_)
            last_ = nullptr;
    }
    return taken;
}

bool operation_queue::remove(operation& removed) noexcept {
    operation* before = nullptr;
    for (operation* each = first_; each; before = each, each = each->next) {
        if (each != &removed)
            continue;
        (before ? before->next : first_) = removed.next;
        if (last_ == &removed)
            last_ = before;
        return true;
    }
    return false;
}

void* descriptor::operator new(std::size_t bytes) {
    return allocate_frame(bytes);
}

void descriptor::operator delete(void* block, std::size_t bytes) noexcept {
    deallocate_frame(block, bytes);
}

} // namespace detail

socket::socket(native_handle handle, sockets& provider) {
    try {
        state_ = new detail::descriptor(handle, provider);
    } catch (...) {
        provider.close(handle);
        throw;
    }
}

void socket::close() noexcept {
    detail::descriptor* const closed = std::exchange(state_, nullptr);
    if (!closed)
        return;
    if (closed->owner) {
        closed->owner->close(*closed);
        return;
    }
    closed->provider->close(closed->handle);
    delete closed;
}

native_handle socket::release() {
    detail::descriptor& given = open_state();
    if (!given.idle())
        throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                                "a socket was released while an operation is under way");
    if (given.owner)
        given.owner->detach(given);
    const native_handle handle = given.handle;
    delete std::exchange(state_, nullptr);
    return handle;
}

detail::descriptor& socket::open_state() const {
    if (!state_)
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "the socket is closed");
    return *state_;
}

} // namespace coracle
