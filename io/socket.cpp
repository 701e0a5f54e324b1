// SPDX-License-Identifier: MIT
#include "socket.hpp"

#include "../memory/fatal.hpp"
#include "backend.hpp"
#include "unused_sockets.hpp"
#include <system_error>

namespace coracle {

socket::socket(native_handle handle, network& opened_by, creation_site where) {
    try {
        state_ = detail::descriptor_ref(new detail::descriptor(handle, opened_by, where));
        detail::note_unused(*state_);
    } catch (...) {
        opened_by.close(handle);
        throw;
    }
}

void socket::close() noexcept {
    const detail::descriptor_ref closed = std::move(state_);
    if (!closed)
        return;
    if (!closed->owner) {
        detail::note_used(*closed);
        closed->close_handle();
        return;
    }
    if (closed->owner != backend::current())
        detail::fatal("a socket was closed on another thread than that of the loop that used it");
    closed->owner->close(*closed);
}

native_handle socket::release() {
    detail::descriptor& fd_state = open_state();
    if (!fd_state.idle())
        throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                                "a socket was released while an operation is under way");
    if (const std::error_code error = fd_state.restore_blocking()) // then nothing has changed
        throw std::system_error(error, "cannot restore whether calls on a socket block");
    const detail::descriptor_ref kept = std::move(state_);
    if (fd_state.owner)
        fd_state.owner->detach(fd_state);
    else
        detail::note_used(fd_state);
    return std::exchange(fd_state.handle, no_handle);
}

detail::descriptor& socket::open_state() const {
    if (!state_)
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "the socket is closed");
    return *state_;
}

} // namespace coracle
