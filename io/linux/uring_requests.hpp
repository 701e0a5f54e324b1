// SPDX-License-Identifier: MIT
//
// requests: what io_uring is asked for, and by which name each completion comes back. Private.
//
// Invariants. The name is the address of what the completion belongs to, with a bit set unless that
// is an operation; so an operation stays until its completion has been collected, and a descriptor
// for as long as it has a poll or a multishot. Each function that asks returns false if there is
// no room, even after the queue has been given to the kernel.
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

// Bits that an address does not have.
inline constexpr std::uint64_t poll_mark = 1;
inline constexpr std::uint64_t multishot_mark = 4;

[[nodiscard]] inline std::uint64_t to_user_data(const operation& named) noexcept {
    return reinterpret_cast<std::uintptr_t>(&named);
}

[[nodiscard]] inline std::uint64_t to_poll_data(const detail::descriptor& polled) noexcept {
    return reinterpret_cast<std::uintptr_t>(&polled) | poll_mark;
}

[[nodiscard]] inline std::uint64_t to_multishot_data(const detail::descriptor& armed) noexcept {
    return reinterpret_cast<std::uintptr_t>(&armed) | multishot_mark;
}

/// What `Named` a completion is for.
template <class Named>
[[nodiscard]] Named& from_user_data(std::uint64_t name) noexcept {
    constexpr std::uint64_t marks = poll_mark | multishot_mark;
    return *reinterpret_cast<Named*>(static_cast<std::uintptr_t>(name & ~marks));
}

[[nodiscard]] inline bool is_read(const operation& asked) noexcept {
    return asked.code() == opcode::read || asked.code() == opcode::read_vector;
}

/// A read does not wait in the kernel if the poll of its socket will tell when to try again: it
/// would make a poll of its own, and both would wake for what only one finds.
[[nodiscard]] inline int wait_flags(const operation& asked) noexcept {
    const detail::descriptor& target = asked.target();
    return is_read(asked) && target.registered && !target.hung_up ? MSG_DONTWAIT : 0;
}

/// io_uring waits by itself, but only for a socket that may block. Another backend, or whoever
/// opened it, may have made it one that does not. False, and failed, if that cannot be undone.
[[nodiscard]] bool make_blocking(operation& started) noexcept;

inline constexpr std::chrono::nanoseconds no_timeout(-1);

class requests {
public:
    explicit requests(ring& to) noexcept : ring_(to) {}

    /// An operation, or what is left of it.
    [[nodiscard]] bool ask(operation& started) noexcept;

    /// To tell, from now on, when there is something to read.
    [[nodiscard]] bool prep_poll(const detail::descriptor& polled) noexcept;

    /// To accept again and again.
    [[nodiscard]] bool prep_multishot_accept(const detail::descriptor& listener) noexcept;

    /// To receive again and again, into buffers of a group.
    [[nodiscard]] bool prep_multishot_receive(const detail::descriptor& stream,
                                              std::uint16_t group) noexcept;

    /// To read what wakes the loop.
    [[nodiscard]] bool ask_wake_up(int handle, std::span<std::byte> into) noexcept;

    /// To end what has this name.
    [[nodiscard]] bool prep_cancel(std::uint64_t name) noexcept;

    /// Gives all to the kernel, and waits for completions, as ring::enter does. A failure stops the
    /// program: without the kernel nothing here can end.
    void enter(unsigned completions, std::chrono::nanoseconds limit) noexcept;

private:
    [[nodiscard]] io_uring_sqe* sqe() noexcept;
    void fill_in(io_uring_sqe& sqe, operation& started) noexcept;
    void fill_in_read(io_uring_sqe& sqe, transfer_operation& read) noexcept;

    ring& ring_;
    std::byte peeked_{}; // ignored reads it
};

} // namespace coracle::uring
