// SPDX-License-Identifier: MIT
//
// capabilities: what only some kernels can do. A backend hands out an object for each of them that
// it has; what is null has to be done without.
#pragma once

#include "../runtime/result.hpp"
#include "buffer_pool.hpp"
#include "network.hpp"
#include <optional>

namespace coracle {

namespace detail {

struct descriptor;

/// One request that brings everything that comes to a descriptor, for as long as somebody wants it:
/// the connections of a listener, or the bytes of a stream.
///
/// A backend that has this arms it by itself when an accept, or the wait_readable of a
/// receive_operation, comes to a descriptor for which there is a `multishot_use`.
struct multishot_source {
    /// Bytes that have been received already, in a buffer of the pool; an empty lease at the end of
    /// the stream, or the error that has ended it. None if nothing has come.
    [[nodiscard]] virtual std::optional<result<buffer_lease>>
    take(descriptor& fd_state) noexcept = 0;

    /// Nobody wants more. What has come and was not taken stays with the descriptor, for its reads.
    virtual void end(descriptor& fd_state) noexcept = 0;

    /// Gives back the buffers that the kernel has at hand. They are lent anew when needed.
    virtual void return_buffers() noexcept = 0;

protected:
    ~multishot_source() = default;
};

/// Requests are collected and given to the kernel once an iteration.
struct submission_batch {
    /// Gives them now.
    virtual void flush() noexcept = 0;

protected:
    ~submission_batch() = default;
};

/// A kernel that does not end by itself what is under way in a direction that is shut down.
struct shutdown_observer {
    /// Reads end with 0 bytes, writes fail.
    virtual void on_shutdown(descriptor& fd_state, shutdown_direction direction) noexcept = 0;

protected:
    ~shutdown_observer() = default;
};

} // namespace detail

struct capabilities {
    network* sockets = &network::native(); // opens them in the way that this kernel wants
    buffer_registrar* registrar = nullptr; // knows buffers in advance
    detail::multishot_source* multishot = nullptr;
    detail::submission_batch* batch = nullptr;
    detail::shutdown_observer* shutdowns = nullptr;
};

} // namespace coracle
