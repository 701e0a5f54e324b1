// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace chat {

namespace {

/// The longest line must fit into a half-full outbox.
constexpr std::uint64_t min_outbox_bytes = 4 * max_line_bytes;

/// Small enough that no arithmetic overflows.
constexpr std::uint64_t max_number = 1'000'000'000;

std::string quoted(std::string_view text) {
    return "'" + std::string(text) + "'";
}

std::uint64_t parse_number(std::string_view name, std::string_view value, std::uint64_t min,
                           std::uint64_t max) {
    std::uint64_t number = 0;
    const char* const end = value.data() + value.size();
    const auto [stopped, failure] = std::from_chars(value.data(), end, number);
    if (failure != std::errc() || stopped != end || number < min || number > max) {
        throw bad_argument(std::string(name) + " needs a number from " + std::to_string(min) +
                           " to " + std::to_string(max) + ", not " + quoted(value));
    }
    return number;
}

coracle::address parse_host(std::string_view value, std::uint16_t port) {
    try {
        return coracle::address::parse(value, port);
    } catch (const std::invalid_argument& error) {
        throw bad_argument(std::string("--host: ") + error.what());
    }
}

std::string parse_backend(std::string_view value) {
    std::string known;
    for (const std::string_view each : coracle::backend_names()) {
        if (each == value)
            return std::string(value);
        known.append(known.empty() ? "" : " or ").append(each);
    }
    throw bad_argument("--backend needs " + known + ", not " + quoted(value));
}

constexpr std::array<std::string_view, 8> option_names = {
    "--host",         "--port",   "--backend", "--max-sessions", "--max-per-address",
    "--idle-timeout", "--outbox", "--watch",
};

void set_option(options& read, std::string_view name, std::string_view value) {
    const auto number = [name, value](std::uint64_t min, std::uint64_t max) {
        return parse_number(name, value, min, max);
    };
    if (name == "--host")
        read.address = parse_host(value, read.address.port());
    else if (name == "--port")
        read.address = read.address.with_port(static_cast<std::uint16_t>(number(0, 65535)));
    else if (name == "--backend")
        read.backend = parse_backend(value);
    else if (name == "--max-sessions")
        read.allowed.max_sessions = number(1, max_number);
    else if (name == "--max-per-address")
        read.allowed.max_per_address = number(0, max_number);
    else if (name == "--idle-timeout")
        read.allowed.idle_timeout = std::chrono::seconds(number(0, max_number));
    else if (name == "--outbox")
        read.allowed.outbox_bytes = number(min_outbox_bytes, max_number);
    else if (name == "--watch")
        read.watch_interval = std::chrono::seconds(number(0, max_number));
}

} // namespace

options parse_options(std::span<const char* const> arguments) {
    options read;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "--help" || argument == "-h") {
            read.help = true;
            return read;
        }
        const std::size_t equals = argument.find('=');
        const std::string_view name = argument.substr(0, equals);
        if (std::find(option_names.begin(), option_names.end(), name) == option_names.end())
            throw bad_argument("there is no option " + quoted(argument));
        if (equals != std::string_view::npos)
            set_option(read, name, argument.substr(equals + 1));
        else if (++i < arguments.size())
            set_option(read, name, arguments[i]);
        else
            throw bad_argument(std::string(name) + " needs a value");
    }
    return read;
}

std::string_view help_text() noexcept {
    return R"(usage: chat [OPTION]...
A chat server for anything that sends lines: nc, telnet, a script. Ctrl-C shuts it down gracefully,
a second one at once.

  --host ADDRESS          IPv4 or IPv6 address to listen on (default 127.0.0.1)
  --port N                TCP port; 0 takes any free one (default 7777)
  --backend NAME          io_uring, epoll, ... (default: the best one that works here)
  --max-sessions N        most clients at the same time (default 1000)
  --max-per-address N     most of them from one IPv4 address or IPv6 /64; 0: no limit (default 100)
  --idle-timeout SECONDS  how long a client may be silent; 0: no limit (default 600)
  --outbox BYTES          most bytes that wait to be written to one client (default 65536)
  --watch SECONDS         how often to print what is in use, as JSON; 0: never (default 0)
  --help                  print this

At SIGUSR1 it writes to standard error what each session waits for and how much memory is in use.
)";
}

} // namespace chat
