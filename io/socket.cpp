// SPDX-License-Identifier: MIT
#include "socket.hpp"

#include "backend.hpp"
#include <system_error>

namespace coracle {

socket::socket(native_handle handle, network& opened_by) {
    try {
        state_ = new detail::descriptor(handle, opened_by);
    } catch (...) {
        opened_by.close(handle);
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
    closed->opened_by->close(closed->handle);
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
