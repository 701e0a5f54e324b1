// SPDX-License-Identifier: MIT
//
// visitor: one client after the other, each of which behaves as badly as chance has it.
//
// Whatever becomes of a visit is what the visitor came for, so that its errors are no failures; a
// server that is not there at all is one.
#pragma once

#include <array>
#include <coracle/coracle.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace soak {

enum class conduct : std::uint8_t {
    talk,         // says a few things, quits and reads to the end
    flood,        // says much at once, and leaves without having read it all
    read_slowly,  // takes a few bytes now and then
    reset,        // resets the connection in the middle
    half_close,   // ends its own direction, and reads to the end
    cancel,       // is cancelled after a moment, whatever it waits for
    garbage,      // sends bytes that are no text
    endless_line, // sends a line that has no end for long
    keep_silent,  // says nothing, until it is sent away
    vanish,       // closes as soon as it is connected
};

inline constexpr std::array<std::string_view, 10> conduct_names = {
    "talk",   "flood",   "read slowly",  "reset",       "half-close",
    "cancel", "garbage", "endless line", "keep silent", "vanish",
};

/// What all visitors did and were told.
struct experience {
    std::array<std::size_t, conduct_names.size()> visits{};
    std::size_t greeted = 0;
    std::size_t refused = 0;
    std::size_t left_out = 0;      // lines that were too long
    std::size_t sent_silent = 0;   // others, told to have been silent for too long
    std::size_t sent_too_slow = 0; // others, told to have been too slow to read

    [[nodiscard]] std::size_t all_visits() const noexcept;
    void hear(std::string_view line) noexcept;
};

class visitor {
public:
    visitor(const coracle::address& server, std::uint32_t seed, experience& shared)
        : server_(server), chance_(seed), shared_(&shared) {}

    /// One visit after the other, until it is cancelled.
    ///
    /// errors   connection_refused, operation_canceled
    [[nodiscard]] coracle::task<> live();

private:
    [[nodiscard]] unsigned random(unsigned least, unsigned most);
    [[nodiscard]] conduct choose();
    [[nodiscard]] const std::string& remark();

    [[nodiscard]] coracle::task<> visit(conduct chosen);
    [[nodiscard]] coracle::task<> behave(conduct chosen, coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> speak(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> speak_and_quit(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> shout(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> send_garbage(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> send_endless_line(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> read_slowly(coracle::tcp_stream& peer);
    [[nodiscard]] coracle::task<> listen(coracle::tcp_stream& peer);

    coracle::address server_;
    std::minstd_rand chance_;
    experience* shared_;
    std::string text_; // what is being sent
};

} // namespace soak
