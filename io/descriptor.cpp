// SPDX-License-Identifier: MIT
#include "descriptor.hpp"

#include "../memory/frame_allocator.hpp"
#include "multishot.hpp"
#include "operation.hpp"
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <system_error>

namespace coracle::detail {

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

descriptor::descriptor(native_handle opened, network& by, origin by_whom) noexcept
    : handle(opened), opened_by(&by), made(by_whom) {}

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

std::string words_for(const descriptor& named) {
    std::string told = told_address("peer", named, &network::peer_address);
    if (told.empty()) // a listener, or a connection that is still being made
        told = told_address("local", named, &network::local_address);
    return fmt::format("descriptor {}{}", named.handle, told);
}

} // namespace coracle::detail
