// SPDX-License-Identifier: MIT
//
// socket: owns a descriptor, and closes it in the end. The base of streams and listeners. It may be
// moved at any time, also while operations are under way.
#pragma once

#include "descriptor.hpp"
#include "network.hpp"
#include <utility>

namespace coracle {

class socket {
public:
    socket() noexcept = default;
    socket(native_handle handle, network& opened_by);

    socket(socket&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

    socket& operator=(socket&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }

    ~socket() { close(); }

    /// Closes it now; what is under way on it ends with operation_canceled first. The destructor
    /// does the same.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return state_ != nullptr; }

    /// The operating system's handle, which stays this object's; no_handle if closed.
    [[nodiscard]] native_handle handle() const noexcept {
        return state_ ? state_->handle : no_handle;
    }

    /// Gives the handle up, to be adopted by another loop or another library.
    ///
    /// errors   device_or_resource_busy if an operation is under way
    [[nodiscard]] native_handle release();

    // The rest is for operations.
    [[nodiscard]] detail::descriptor* state() const noexcept { return state_; }

protected:
    /// The descriptor of an open socket; throws bad_file_descriptor if it is closed.
    [[nodiscard]] detail::descriptor& open_state() const;

private:
    detail::descriptor* state_ = nullptr;
};

} // namespace coracle
