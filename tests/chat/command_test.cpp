// SPDX-License-Identifier: MIT
//
// What the lines mean that a client may send.
#include <command.hpp>
#include <doctest/doctest.h>
#include <string_view>

using chat::verb;

namespace {

void check(std::string_view line, verb what, std::string_view name = {},
           std::string_view text = {}) {
    const chat::command read = chat::parse_command(line);
    CAPTURE(line);
    CHECK(read.what == what);
    CHECK(read.name == name);
    CHECK(read.text == text);
}

} // namespace

TEST_CASE("chat command: what does not begin with a slash is said as it is") {
    check("hello", verb::say, {}, "hello");
    check("  hello  there ", verb::say, {}, "  hello  there ");
    check(" /who", verb::say, {}, " /who");
    check("either/or", verb::say, {}, "either/or");
}

TEST_CASE("chat command: blank lines mean nothing") {
    check("", verb::nothing);
    check("   ", verb::nothing);
}

TEST_CASE("chat command: words and their arguments") {
    check("/nick bob", verb::nick, "bob");
    check("/nick   bob  ", verb::nick, "bob");
    check("/nick", verb::nick);
    check("/nick two words", verb::nick, "two words");
    check("/who", verb::who);
    check("/who is there", verb::who);
    check("/msg bob hello  there ", verb::message, "bob", "hello  there");
    check("/msg   bob   hello", verb::message, "bob", "hello");
    check("/msg bob", verb::message, "bob");
    check("/msg", verb::message);
    check("/me waves", verb::act, {}, "waves");
    check("/me", verb::act);
    check("/help", verb::help);
    check("/quit", verb::quit);
    check("/quit ", verb::quit);
}

TEST_CASE("chat command: other words with a slash are unknown") {
    check("/", verb::unknown, "/");
    check("/nickname bob", verb::unknown, "/nickname");
    check("/NICK bob", verb::unknown, "/NICK");
    check("//", verb::unknown, "//");
}
