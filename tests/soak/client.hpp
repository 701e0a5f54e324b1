// SPDX-License-Identifier: MIT
//
// client: makes one connection after another, each with a random behaviour.
//
// Errors of a connection are expected and ignored. Only connection_refused is an error: the server
// has ended.
#pragma once

#include <array>
#include <coracle/coracle.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace soak {

enum class behaviour : std::uint8_t {
    talk,         // sends a few lines, quits, and reads to end of stream
    flood,        // sends many lines at once, and closes with unread input
    read_slowly,  // reads a few bytes now and then
    reset,        // resets the connection in the middle
    half_close,   // shuts its sending side down, and reads to end of stream
    cancel,       // is cancelled after a random time, whatever it waits for
    garbage,      // sends random bytes
    endless_line, // sends a line far above the limit
    keep_silent,  // sends nothing until the server closes
    vanish,       // closes as soon as it is connected
};

inline constexpr std::array<std::string_view, 10> behaviour_names = {
    "talk",   "flood",   "read slowly",  "reset",       "half-close",
    "cancel", "garbage", "endless line", "keep silent", "vanish",
};

/// What all clients together did and received.
struct client_counts {
    std::array<std::size_t, behaviour_names.size()> connections{};
    std::size_t welcomed = 0;
    std::size_t refused = 0;
    std::size_t too_long = 0; // lines above the limit
    std::size_t silent = 0;   // notes that another member was silent for too long
    std::size_t too_slow = 0; // notes that another member was too slow to read

    [[nodiscard]] std::size_t all_connections() const noexcept;
    void count(std::string_view line) noexcept;
};

class client {
public:
    client(const coracle::address& server, std::uint32_t seed, client_counts& shared)
        : server_(server), random_(seed), shared_(&shared) {}

    /// One connection after another, until cancelled.
    ///
    /// errors   connection_refused, operation_canceled
    [[nodiscard]] coracle::task<> run();

private:
    [[nodiscard]] unsigned random(unsigned min, unsigned max);
    [[nodiscard]] behaviour choose();
    [[nodiscard]] const std::string& next_message();

    [[nodiscard]] coracle::task<> connect(behaviour chosen);
    [[nodiscard]] coracle::task<> behave(behaviour chosen, coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> talk(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> talk_and_quit(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> flood(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> send_garbage(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> send_endless_line(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> read_slowly(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> listen(coracle::tcp_stream& peer);

    coracle::address server_;
    std::minstd_rand random_;
    client_counts* shared_;
    std::string text_; // being sent
};

} // namespace soak
