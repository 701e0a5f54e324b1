// SPDX-License-Identifier: MIT
//
// What differs between the POSIX systems that Coracle knows (Linux, macOS, FreeBSD), and nowhere
// else is asked about. Linux and FreeBSD make a socket and its flags in one call; macOS takes
// several, between which a fork on another thread would inherit it. Private.
#pragma once

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coracle::posix {

#ifdef SOCK_CLOEXEC

inline constexpr int close_on_exec = SOCK_CLOEXEC;

inline int accept_connection(int listener) noexcept {
    return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); // blocks, whatever the listener
}

inline void finish_opening(int) noexcept {}

#else

inline constexpr int close_on_exec = 0;

/// The other half of `close_on_exec`. It does not fail for a handle that has just been opened.
inline void finish_opening(int handle) noexcept {
    ::fcntl(handle, F_SETFD, FD_CLOEXEC);
}

/// An accepted socket has the flags of its listener, and would not block.
inline int accept_connection(int listener) noexcept {
    const int handle = ::accept(listener, nullptr, nullptr);
    if (handle >= 0) {
        finish_opening(handle);
        ::fcntl(handle, F_SETFL, 0);
    }
    return handle;
}

#endif

#ifdef __APPLE__

/// Older macOS has no MSG_NOSIGNAL, and ignores it.
inline void never_signal(int handle) noexcept {
    const int on = 1;
    ::setsockopt(handle, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on); // fails if it is no socket
}

inline constexpr int keep_alive_idle_option = TCP_KEEPALIVE;
inline constexpr int connection_state_option = TCP_CONNECTION_INFO;
using connection_state = tcp_connection_info;

#else

inline void never_signal(int) noexcept {}

inline constexpr int keep_alive_idle_option = TCP_KEEPIDLE;
inline constexpr int connection_state_option = TCP_INFO;
using connection_state = tcp_info;

#endif

#ifdef __linux__
inline constexpr int closed_state = TCP_CLOSE;
#else
inline constexpr int closed_state = 0; // TCPS_CLOSED, whose header is the kernel's own
#endif

/// Whether a TCP connection is over on both sides. The BSDs may refuse to tell of one that is.
inline bool connection_is_over(int handle) noexcept {
    connection_state state = {};
    socklen_t size = sizeof state;
    if (::getsockopt(handle, IPPROTO_TCP, connection_state_option, &state, &size) != 0)
        return errno == ECONNRESET;
    return state.tcpi_state == closed_state;
}

} // namespace coracle::posix
