// SPDX-License-Identifier: MIT
//
// posix: what the backends of POSIX systems have in common: the non-blocking system call of every
// operation, once, and the conversions that go with it. Private.
#pragma once

#include "../operation.hpp"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>

namespace coracle::posix {

/// The operating system's `number` as an error that compares equal to std::errc.
[[nodiscard]] std::error_code error_of(int number) noexcept;

/// The last call's error.
[[nodiscard]] std::error_code last_error() noexcept;

enum class attempt_result {
    complete, // the operation has been advanced to its end, or failed
    blocked,  // the kernel would block
    partial,  // some of it was done, less than asked for: the kernel would block now
};

/// Does as much of an operation as can be done without blocking.
[[nodiscard]] attempt_result attempt(operation& op) noexcept;

/// The platform's form of an address; `storage` must hold a sockaddr_in6.
socklen_t to_native(const address& value, void* storage) noexcept;
[[nodiscard]] address from_native(const sockaddr_storage& value);

/// Fills the scratch space of a vector operation with what is still to be done.
[[nodiscard]] msghdr& message_of(vector_operation& moved) noexcept;

/// The most that one call is asked to move: what fits a signed 32-bit result everywhere.
inline constexpr std::size_t max_bytes = std::size_t{1} << 30;

/// Throws nothing, since operations that find out must not; no code if it was done.
[[nodiscard]] std::error_code set_blocking(int handle, bool blocking) noexcept;

/// The same for a descriptor, which keeps in mind how to undo it.
[[nodiscard]] std::error_code set_blocking(detail::descriptor& target, bool blocking) noexcept;

} // namespace coracle::posix
