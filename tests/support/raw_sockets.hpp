// SPDX-License-Identifier: MIT
//
// What no stream would do to a socket: calls of the system that wait, or that must not, and the
// descriptors that this process has. Each platform defines these in its own folder.
#pragma once

#include <coracle/io/address.hpp>
#include <coracle/io/network.hpp>
#include <coracle/io/socket.hpp>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace coracle::test {

/// The descriptors of this process; on Windows the handles of files, which sockets are.
[[nodiscard]] std::vector<native_handle> open_descriptors();

/// How many descriptors are registered with a backend that is told of readiness; nothing where
/// nobody tells. The emulation of kqueue is an epoll as well.
[[nodiscard]] std::optional<std::size_t> registrations(std::string_view backend);

/// As many descriptors as the system lets this process have, and some to spare.
[[nodiscard]] std::size_t descriptors_to_be_had();

/// Sends at once and without the loop: what fits the kernel's buffer is there when this returns.
void send_raw(const socket& from, std::string_view text);

/// A connection to `peer`, an IPv4 address of the loopback interface, by a call that waits;
/// no_handle if it cannot be had.
[[nodiscard]] native_handle connect_raw(const address& peer);

/// Both ends of a connection.
[[nodiscard]] std::pair<native_handle, native_handle> raw_pair();

void close_raw(native_handle handle);

/// Has calls on it fail instead of waiting.
void make_non_blocking(native_handle handle);

/// Has the kernel do what it was asked for, and leaves its answer in the completion queue, where at
/// least one must come. For backends with completions.
void let_kernel_answer();

/// Whether a loop can use a socket that another loop has used; says so and why where it cannot.
[[nodiscard]] bool sockets_can_move();

/// Has a write to a peer that is gone end the program, if it raises what does that on some systems.
void let_broken_pipes_kill();

} // namespace coracle::test
