// SPDX-License-Identifier: MIT
//
// operation_storage: the room in an operation for what its kernel writes to while it has it. None
// where a kernel wants none; on Windows it is an OVERLAPPED, which must stay until its packet has
// come, and so has to live as long as the operation.
//
// Their size is the only thing about a platform that operations know.
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
