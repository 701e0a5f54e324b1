// SPDX-License-Identifier: MIT
//
// limits: the server's limits.
#pragma once

#include <chrono>
#include <cstddef>

namespace chat {

/// The longest line that a client may send, without its newline.
inline constexpr std::size_t max_line_bytes = 4096;

struct limits {
    /// How many clients may be connected at the same time.
    std::size_t max_sessions = 1000;

    /// How many of them from one address; zero for no limit.
    std::size_t max_per_address = 100;

    /// How long a client may be silent; zero for no limit.
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);

    /// How many bytes may wait to be written to one client.
    std::size_t outbox_bytes = std::size_t{64} * 1024;

    /// How long a session that ends waits for its outbox to be written.
    std::chrono::milliseconds drain_time = std::chrono::seconds(2);
};

} // namespace chat
