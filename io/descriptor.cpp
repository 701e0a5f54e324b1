// SPDX-License-Identifier: MIT
#include "descriptor.hpp"

#include "../memory/frame_allocator.hpp"
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace coracle::detail {

descriptor::descriptor(native_handle opened, network& by, creation_site by_whom) noexcept
    : handle(opened), opened_by(&by), where(by_whom) {}

void* descriptor::operator new(std::size_t bytes) {
    return allocate_frame(bytes);
}

void descriptor::operator delete(void* block, std::size_t bytes) noexcept {
    deallocate_frame(block, bytes);
}

std::error_code descriptor::restore_blocking() noexcept {
    if (!blocking_changed)
        return {};
    const std::error_code error = opened_by->set_blocking(handle, !found_non_blocking);
    if (!error) {
        blocking_changed = false;
        non_blocking = found_non_blocking;
    }
    return error;
}

void descriptor::close_handle() noexcept {
    [[maybe_unused]] std::error_code error; // if there is one the handle goes all the same
    if (adopted)
        error = restore_blocking();
    opened_by->close(std::exchange(handle, no_handle));
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
