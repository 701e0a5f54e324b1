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
    const std::error_code error = opened_by->set_blocking(handle, !original_non_blocking);
    if (!error) {
        blocking_changed = false;
        non_blocking = original_non_blocking;
    }
    return error;
}

void descriptor::close_handle() noexcept {
    [[maybe_unused]] std::error_code error; // if there is one the handle goes all the same
    if (adopted)
        error = restore_blocking();
    opened_by->close(std::exchange(handle, no_handle));
}

/// As ", peer 127.0.0.1:4000"; empty where the descriptor has no such address.
static std::string address_suffix(std::string_view which, const descriptor& fd_state,
                                  address (network::*address_of)(native_handle)) {
    try {
        const address found = (fd_state.opened_by->*address_of)(fd_state.handle);
        return fmt::format(", {} {}", which, to_string(found));
    } catch (const std::system_error&) {
        return {};
    }
}

std::string describe(const descriptor& fd_state) {
    std::string suffix = address_suffix("peer", fd_state, &network::peer_address);
    if (suffix.empty()) // a listener, or a connection that is still being made
        suffix = address_suffix("local", fd_state, &network::local_address);
    return fmt::format("descriptor {}{}", fd_state.handle, suffix);
}

} // namespace coracle::detail
