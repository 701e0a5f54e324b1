// SPDX-License-Identifier: MIT
//
// options: the command line.
#pragma once

#include "limits.hpp"
#include <chrono>
#include <coracle/coracle.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace chat {

struct options {
    coracle::address address = coracle::address::loopback_v4(7777);
    std::string backend; // empty: the best one that works
    limits allowed;
    std::chrono::seconds watch_interval{0}; // zero: never
    bool help = false;
};

/// An invalid argument; the text names it.
class bad_argument : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

/// Parses the arguments after the program's name: `--name value` or `--name=value`.
///
/// errors   bad_argument
[[nodiscard]] options parse_options(std::span<const char* const> arguments);

[[nodiscard]] std::string_view help_text() noexcept;

} // namespace chat
