// SPDX-License-Identifier: MIT
#include "descriptor.hpp"

#include "../memory/frame_allocator.hpp"
#include "multishot.hpp"
#include "operation.hpp"
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace coracle::detail {

void operation_queue::push(operation& added) noexcept {
    push_front(added);
    last_ = &added;
}

void operation_queue::push_front(operation& added) noexcept {
    if (last_) {
        added.next = std::exchange(last_->next, &added);
    } else {
        added.next = &added;
        last_ = &added;
    }
}

operation* operation_queue::pop() noexcept {
    if (!last_)
        return nullptr;
    operation* const first = last_->next;
    unlink_after(*last_);
    return first;
}

bool operation_queue::remove(operation& removed) noexcept {
    if (!last_)
        return false;
    operation* before = last_;
    do {
        if (before->next == &removed) {
            unlink_after(*before);
            return true;
        }
        before = before->next;
    } while (before != last_);
    return false;
}

void operation_queue::unlink_after(operation& before) noexcept {
    operation* const gone = before.next;
    before.next = gone->next;
    if (gone == last_)
        last_ = gone == &before ? nullptr : &before;
}

descriptor::descriptor(native_handle opened, network& by, creation_site by_whom) noexcept
    : handle(opened), opened_by(&by), where(by_whom) {}

descriptor::~descriptor() = default;

void* descriptor::operator new(std::size_t bytes) {
    return allocate_frame(bytes);
}

void descriptor::operator delete(void* block, std::size_t bytes) noexcept {
    deallocate_frame(block, bytes);
}

/// Which one of the addresses a descriptor has; empty where it has none that can be told.
static std::string told_address(std::string_view which, const descriptor& named,
                                address (network::*address_of)(native_handle)) {
    try {
        const address told = (named.opened_by->*address_of)(named.handle);
        return fmt::format(", {} {}", which, to_string(told));
    } catch (const std::system_error&) {
        return {};
    }
}

std::string describe(const descriptor& named) {
    std::string told = told_address("peer", named, &network::peer_address);
    if (told.empty()) // a listener, or a connection that is still being made
        told = told_address("local", named, &network::local_address);
    return fmt::format("descriptor {}{}", named.handle, told);
}

} // namespace coracle::detail
