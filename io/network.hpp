// SPDX-License-Identifier: MIT
//
// network: where sockets are opened, and what is done to one without waiting. A platform has one,
// and a simulation, which has no kernel, its own. All but closing throw std::system_error with the
// platform's code.
#pragma once

#include "address.hpp"
#include <cstdint>
#include <system_error>

namespace coracle {

/// A descriptor or a SOCKET.
using native_handle = std::intptr_t;
inline constexpr native_handle no_handle = -1;

enum class shutdown_direction : std::uint8_t { read, write, both };

enum class socket_option : std::uint8_t {
    no_delay,              // 0 or 1
    keep_alive,            // 0 or 1
    keep_alive_idle_s,     // seconds of silence before the first probe
    keep_alive_interval_s, // seconds between probes
    keep_alive_count,      // probes without an answer before the connection is given up
    linger_s,              // -1: close in the background; else wait so long; 0: reset
    send_buffer_bytes,     // as asked for; the kernel may round or double
    receive_buffer_bytes,  // likewise
    reuse_address,         // 0 or 1, before binding
    reuse_port,            // 0 or 1, before binding
    only_v6,               // 0 or 1, before binding
    listening,             // 0 or 1, only to be read
};

struct network {
    /// A new stream socket, not inherited by child processes.
    [[nodiscard]] virtual native_handle open_stream(address::family family) = 0;

    virtual void bind(native_handle handle, const address& local) = 0;
    virtual void listen(native_handle handle, int backlog) = 0;
    virtual void shutdown(native_handle handle, shutdown_direction direction) = 0;

    virtual void set(native_handle handle, socket_option option, int value) = 0;
    [[nodiscard]] virtual int get(native_handle handle, socket_option option) = 0;

    [[nodiscard]] virtual address local_address(native_handle handle) = 0;
    [[nodiscard]] virtual address peer_address(native_handle handle) = 0;

    /// Whether a connection is over on both sides: by a reset, or because both halves have ended. A
    /// caller that has not ended its own half knows that it was a reset.
    [[nodiscard]] virtual bool was_reset(native_handle handle) noexcept = 0;

    /// Whether a read can meet the end of a stream that was reset although nobody was told of the
    /// reset.
    [[nodiscard]] virtual bool hides_resets() const noexcept { return false; }

    /// Whether calls on it block.
    [[nodiscard]] virtual std::error_code set_blocking(native_handle handle,
                                                       bool blocking) noexcept = 0;

    virtual void close(native_handle handle) noexcept = 0;

    /// The operating system's.
    [[nodiscard]] static network& native() noexcept;

protected:
    network() = default;
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    ~network() = default;
};

} // namespace coracle
