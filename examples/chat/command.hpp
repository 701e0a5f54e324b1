// SPDX-License-Identifier: MIT
//
// command: what a line means. Reading one is a pure function, and its parts point into the line.
#pragma once

#include <cstdint>
#include <string_view>

namespace chat {

enum class verb : std::uint8_t {
    nothing, // a blank line
    say,     // text
    nick,    // name, which may be empty or bad
    who,
    message, // name and text, either of which may be missing
    act,     // text, which may be missing
    help,
    quit,
    unknown, // name: the word that is no command
};

struct command {
    verb what = verb::nothing;
    std::string_view name;
    std::string_view text;
};

[[nodiscard]] command parse_command(std::string_view line) noexcept;

} // namespace chat
