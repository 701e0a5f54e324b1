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
    socket(native_handle handle, network& opened_by, creation_site where = {});

    socket(socket&& other) noexcept = default;

    /// Closes what it was first.
    socket& operator=(socket&& other) noexcept {
        if (this != &other) {
            close();
            state_ = std::move(other.state_);
        }
        return *this;
    }

    ~socket() { close(); }

    /// Closes it: now if nothing is under way on it, else as soon as that has ended, which it does
    /// with operation_canceled. The destructor does the same. On the thread of the loop that used
    /// it; another one stops the program with a message.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(state_); }

    /// The operating system's handle, which stays this object's; no_handle if closed.
    [[nodiscard]] native_handle handle() const noexcept {
        return state_ ? state_->handle : no_handle;
    }

    /// Gives the handle up, to be adopted by another loop or another library. Calls on it block,
    /// whatever backend has used it, unless it was adopted as one on which they do not.
    ///
    /// errors   device_or_resource_busy if an operation is under way
    [[nodiscard]] native_handle release();

    // The rest is for operations.
    [[nodiscard]] const detail::descriptor_ref& state() const noexcept { return state_; }

protected:
    /// The descriptor of an open socket; throws bad_file_descriptor if it is closed.
    [[nodiscard]] detail::descriptor& open_state() const;

private:
    detail::descriptor_ref state_;
};

} // namespace coracle
