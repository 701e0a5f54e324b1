// SPDX-License-Identifier: MIT
//
// How a line is parsed.
#include <command.hpp>
#include <doctest/doctest.h>
#include <string_view>

using chat::command_type;

namespace {

void check(std::string_view line, command_type type, std::string_view name = {},
           std::string_view text = {}) {
    const chat::command read = chat::parse_command(line);
    CAPTURE(line);
    CHECK(read.type == type);
    CHECK(read.name == name);
    CHECK(read.text == text);
}

} // namespace

TEST_CASE("chat command: what does not begin with a slash is said as it is") {
    check("hello", command_type::say, {}, "hello");
    check("  hello  there ", command_type::say, {}, "  hello  there ");
    check(" /who", command_type::say, {}, " /who");
    check("either/or", command_type::say, {}, "either/or");
}

TEST_CASE("chat command: blank lines mean nothing") {
    check("", command_type::none);
    check("   ", command_type::none);
}

TEST_CASE("chat command: words and their arguments") {
    check("/nick bob", command_type::nick, "bob");
    check("/nick   bob  ", command_type::nick, "bob");
    check("/nick", command_type::nick);
    check("/nick two words", command_type::nick, "two words");
    check("/who", command_type::who);
    check("/who is there", command_type::who);
    check("/msg bob hello  there ", command_type::msg, "bob", "hello  there");
    check("/msg   bob   hello", command_type::msg, "bob", "hello");
    check("/msg bob", command_type::msg, "bob");
    check("/msg", command_type::msg);
    check("/me waves", command_type::me, {}, "waves");
    check("/me", command_type::me);
    check("/help", command_type::help);
    check("/quit", command_type::quit);
    check("/quit ", command_type::quit);
}

TEST_CASE("chat command: other words with a slash are unknown") {
    check("/", command_type::unknown, "/");
    check("/nickname bob", command_type::unknown, "/nickname");
    check("/NICK bob", command_type::unknown, "/NICK");
    check("//", command_type::unknown, "//");
}
