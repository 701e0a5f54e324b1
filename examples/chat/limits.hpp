// SPDX-License-Identifier: MIT
//
// limits: how much of the server one client, or all of them, may take.
#pragma once

#include <chrono>
#include <cstddef>

namespace chat {

/// The longest line that a client may send, its end not counted.
inline constexpr std::size_t max_line_bytes = 4096;

struct limits {
    /// How many may be connected at the same time.
    std::size_t max_sessions = 1000;

    /// How many of them from one address; zero for no limit.
    std::size_t max_per_address = 100;

    /// How long a client may be silent; zero for as long as it likes.
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);

    /// How much may wait to be read by one client.
    std::size_t outbox_bytes = std::size_t{64} * 1024;

    /// How long a session that ends waits for its client to read the rest.
    std::chrono::milliseconds drain_time = std::chrono::seconds(2);
};

} // namespace chat
