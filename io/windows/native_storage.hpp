// SPDX-License-Identifier: MIT
//
// operation_storage: the part of an operation that the kernel writes to. Empty where a kernel needs
// none; on Windows an OVERLAPPED, which must stay until its packet has come, and so lives in the
// operation.
//
// These sizes are all that operations know of a platform.
#pragma once

#include <array>
#include <cstddef>

namespace coracle::detail {

#if defined(_WIN32)

struct alignas(8) operation_storage {
    std::array<std::byte, 64> bytes;
};

/// For an accept: the socket that takes the connection, and the two addresses that come with it.
struct alignas(8) accept_storage {
    std::array<std::byte, 104> bytes;
};

#else

struct operation_storage {};

struct accept_storage {};

#endif

} // namespace coracle::detail
