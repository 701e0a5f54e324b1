// SPDX-License-Identifier: MIT
//
// requests: what io_uring is asked for, and by which name each completion comes back. Private.
//
// Invariants. The name is the address of what the completion belongs to, with a bit set unless that
// is an operation; so an operation stays until its completion has been collected, and a descriptor
// for as long as it has a poll or a multishot. Each function that asks returns false if there is
// no SQE, even after the queue has been given to the kernel.
#pragma once

#include "../operation.hpp"
#include "ring.hpp"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/socket.h>

namespace coracle::uring {

inline constexpr std::uint64_t ignored = 0;
inline constexpr std::uint64_t wake_up = 2;
inline constexpr std::uint64_t operation_cancel = 8;  // the answer to a cancel of an operation
inline constexpr std::uint64_t multishot_cancel = 16; // or of a multishot

// Bits that an address does not have.
inline constexpr std::uint64_t poll_mark = 1;
inline constexpr std::uint64_t multishot_mark = 4;

[[nodiscard]] inline std::uint64_t to_user_data(const operation& op) noexcept {
    return reinterpret_cast<std::uintptr_t>(&op);
}

[[nodiscard]] inline std::uint64_t to_poll_data(const detail::descriptor& fd_state) noexcept {
    return reinterpret_cast<std::uintptr_t>(&fd_state) | poll_mark;
}

[[nodiscard]] inline std::uint64_t to_multishot_data(const detail::descriptor& fd_state) noexcept {
    return reinterpret_cast<std::uintptr_t>(&fd_state) | multishot_mark;
}

/// What `Named` a completion is for.
template <class Named>
[[nodiscard]] Named& from_user_data(std::uint64_t name) noexcept {
    constexpr std::uint64_t marks = poll_mark | multishot_mark;
    return *reinterpret_cast<Named*>(static_cast<std::uintptr_t>(name & ~marks));
}

/// Indices of the descriptor's `backend_flags`.
enum flag : std::uint8_t {
    poll_armed,    // a multishot poll tells of every arrival
    unreadable,    // there has been none since a read found nothing
    hung_up,       // the end of the stream is near: then it need not tell any more
    read_before,   // it is worth while to be told
    read_parked,   // the active read waits for that, and is not with the kernel
    unregistering, // the poll is about to end
};

/// Whether it is a read that waits.
[[nodiscard]] inline bool is_read(const operation& op) noexcept {
    return op.code() == opcode::read || op.code() == opcode::read_vector;
}

/// A read does not wait in the kernel if the poll of its socket will tell when to try again: it
/// would make a poll of its own, and both would wake for what only one finds.
[[nodiscard]] inline int wait_flags(const operation& op) noexcept {
    const auto& flags = op.target().backend_flags;
    return is_read(op) && flags[poll_armed] && !flags[hung_up] ? MSG_DONTWAIT : 0;
}

/// io_uring waits by itself, but some kernels only for a socket that may block. Another backend may
/// have made it one that does not, and then that is undone; whoever opened it as well, and then it
/// is undone only for a kernel that says EAGAIN. False, and failed, if it cannot be.
[[nodiscard]] bool make_blocking(operation& op) noexcept;

inline constexpr std::chrono::nanoseconds no_timeout(-1);

class requests {
public:
    explicit requests(ring& to) noexcept : ring_(to) {}

    /// An operation, or what is left of it.
    [[nodiscard]] bool prep(operation& op) noexcept;

    /// To tell, from now on, when there is something to read.
    [[nodiscard]] bool prep_poll(const detail::descriptor& fd_state) noexcept;

    /// To accept again and again.
    [[nodiscard]] bool prep_multishot_accept(const detail::descriptor& listener) noexcept;

    /// To receive again and again, into buffers of a group.
    [[nodiscard]] bool prep_multishot_receive(const detail::descriptor& stream,
                                              std::uint16_t group) noexcept;

    /// To read what wakes the loop.
    [[nodiscard]] bool prep_wake_up(int handle, std::span<std::byte> into) noexcept;

    /// To end what has this name. The answer comes back as `answer_name`: negative if the kernel
    /// has not found it, which may still go on.
    [[nodiscard]] bool prep_cancel(std::uint64_t name,
                                   std::uint64_t answer_name = ignored) noexcept;

    /// Gives all to the kernel, and waits for completions, as ring::enter does. A failure stops the
    /// program: without the kernel nothing here can end.
    void enter(unsigned completions, std::chrono::nanoseconds limit) noexcept;

private:
    [[nodiscard]] io_uring_sqe* sqe() noexcept;
    static void fill_in(io_uring_sqe& sqe, operation& op) noexcept;

    ring& ring_;
};

} // namespace coracle::uring
