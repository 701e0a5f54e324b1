// SPDX-License-Identifier: MIT
//
// windows: what the backends of Windows have in common: Winsock, its errors and its addresses.
// Private.
#pragma once

#include "../network.hpp"
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

#include <winsock2.h>

#include <mswsock.h>
#include <windows.h>
#include <ws2tcpip.h>

namespace coracle::windows {

/// A code of Windows or Winsock as an error that compares equal to std::errc. The number stays what
/// it is; one that has no counterpart there compares equal to none.
[[nodiscard]] std::error_code error_of(DWORD number) noexcept;

/// The last call's error, whether of Winsock or not: they are kept in one place.
[[nodiscard]] std::error_code last_error() noexcept;

/// Starts Winsock, once; it ends with the process, since sockets may be closed by static objects.
void start_winsock();

/// The platform's form of an address; `storage` must hold a sockaddr_in6.
int to_native(const address& value, void* storage) noexcept;
[[nodiscard]] address from_native(const sockaddr_storage& value);

/// The most that one call is asked to move.
inline constexpr std::size_t max_bytes = std::size_t{1} << 30;

/// A new stream socket, which no child process inherits. `flags` are added to those that every
/// socket here has.
[[nodiscard]] SOCKET open_stream(int domain, DWORD flags) noexcept;

/// A socket that closes itself.
class owned_socket {
public:
    explicit owned_socket(SOCKET handle = INVALID_SOCKET) noexcept : handle_(handle) {}

    owned_socket(owned_socket&& other) noexcept
        : handle_(std::exchange(other.handle_, INVALID_SOCKET)) {}

    owned_socket& operator=(owned_socket&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }

    ~owned_socket() {
        if (handle_ != INVALID_SOCKET)
            ::closesocket(handle_);
    }

    [[nodiscard]] SOCKET get() const noexcept { return handle_; }

    [[nodiscard]] SOCKET release() noexcept { return std::exchange(handle_, INVALID_SOCKET); }

private:
    SOCKET handle_;
};

/// Takes a socket away from its completion port, so that another one can have it. False where the
/// system cannot: that is Windows before 8.1.
bool leave_port(HANDLE handle) noexcept;

/// WSAIoctl, by which functions are found that not every Windows has. Tests put another here.
extern decltype(&::WSAIoctl) ioctl;

/// Fills `found` with the function, or the table of them, that a GUID names. False, with the
/// reason, if there is none.
[[nodiscard]] bool find_function(SOCKET handle, DWORD code, GUID wanted, const char* name,
                                 void* found, DWORD size, std::string& reason);

/// The network whose sockets can be registered for I/O; else as network::native.
[[nodiscard]] network& registered_network() noexcept;

} // namespace coracle::windows
