// SPDX-License-Identifier: MIT
//
// command: a parsed line. Its parts point into the line.
#pragma once

#include <cstdint>
#include <string_view>

namespace chat {

enum class command_type : std::uint8_t {
    none, // a blank line
    say,  // text
    nick, // name, which may be empty or not valid
    who,
    msg, // name and text, either of which may be missing
    me,  // text, which may be missing
    help,
    quit,
    unknown, // name: the word after the slash, and the slash
};

struct command {
    command_type type = command_type::none;
    std::string_view name;
    std::string_view text;
};

[[nodiscard]] command parse_command(std::string_view line) noexcept;

} // namespace chat
