// SPDX-License-Identifier: MIT
//
// Addresses as text, both ways.

#include <array>
#include <coracle/io/address.hpp>
#include <cstdint>
#include <doctest/doctest.h>
#include <stdexcept>
#include <string>

using namespace coracle;

namespace {

/// What parsing refuses it with; empty if it does not.
template <class... Arguments>
std::string refusal(Arguments... arguments) {
    try {
        static_cast<void>(address::parse(arguments...));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return {};
}

struct spelling {
    const char* text;
    const char* canonical; // RFC 5952
};

} // namespace

TEST_CASE("address: reads and writes IPv4") {
    const address parsed = address::parse("192.168.0.255:65535");
    CHECK(parsed.kind() == address::family::v4);
    CHECK(parsed == address(std::array<std::uint8_t, 4>{192, 168, 0, 255}, 65535));
    CHECK(to_string(parsed) == "192.168.0.255:65535");
    CHECK(address::parse("0.0.0.0:0") == address());
    CHECK(address::parse("127.0.0.1", 80) == address::loopback_v4(80));
    CHECK(address::any_v4(9) == address::parse("0.0.0.0:9"));
}

TEST_CASE("address: reads any spelling of IPv6 and writes the one of RFC 5952") {
    constexpr spelling spellings[] = {
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"},
        {"2001:DB8::ABCD", "2001:db8::abcd"},             // 4.3: lower case
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // 4.2.2: one group is not cut
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, // the same
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          // 4.2.3: the longest run
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    // 4.2.3: the first of two
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"0:0:3:4:5:6:0:0", "::3:4:5:6:0:0"},
        {"fe80::1:0:0", "fe80::1:0:0"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"}, // 5: mapped addresses keep their dots
        {"::ffff:c000:201", "::ffff:192.0.2.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    };
    for (const spelling& each : spellings) {
        CAPTURE(std::string(each.text));
        const address parsed = address::parse(each.text, 443);
        CHECK(parsed.is_v6());
        CHECK(to_string(parsed) == "[" + std::string(each.canonical) + "]:443");
        CHECK(address::parse("[" + std::string(each.text) + "]:443") == parsed);
    }
    CHECK(address::parse("[::1]:80") == address::loopback_v6(80));
    CHECK(address::parse("[::]:80") == address::any_v6(80));
}

TEST_CASE("address: keeps the interface of a link-local address") {
    const address parsed = address::parse("[fe80::1%2]:80");
    CHECK(parsed.scope() == 2);
    CHECK(to_string(parsed) == "[fe80::1%2]:80");
    CHECK(address::parse("fe80::1%4294967295", 1).scope() == 4294967295U);
    CHECK(parsed != address::parse("[fe80::1]:80"));
    CHECK(parsed.with_port(81).scope() == 2);
}

TEST_CASE("address: names wrong text and what is wrong with it") {
    constexpr const char* wrong[] = {
        "",
        ":",
        "80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:65536",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        " 127.0.0.1:80",
        "127.0.0:80",
        "127.0.0.0.1:80",
        "127.0.0.256:80",
        "127.0.0.-1:80",
        "127.0.0.01:80",
        "127.0..1:80",
        ".127.0.0.1:80",
        "127.0.0.1.:80",
        "0x7f.0.0.1:80",
        "localhost:80",
        "example.org:80",
        "[127.0.0.1]:80",
        "::1:80",
        "[::1:80",
        "::1]:80",
        "[::1]80",
        "[::1]",
        "[]:80",
        "[:]:80",
        "[:::]:80",
        "[1::2::3]:80",
        "[1:2:3:4:5:6:7]:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "[1:2:3:4:5:6:7:8::]:80",
        "[::12345]:80",
        "[::g]:80",
        "[::1.2.3]:80",
        "[::1.2.3.4.5]:80",
        "[::1.2.3.256]:80",
        "[1.2.3.4::]:80",
        "[1:2:3:4:5:6:7:1.2.3.4]:80",
        "[::1.2.3.4:5]:80",
        "[fe80::1%]:80",
        "[fe80::1%eth0]:80",
        "[fe80::1%4294967296]:80",
        "[%1]:80",
        "[1:]:80",
        "[:1]:80",
        "[::1 ]:80",
        "[-1::]:80",
        "[[::1]]:80",
        "127.0.0.1%1:80",
    };
    for (const char* const text : wrong) {
        CAPTURE(std::string(text));
        const std::string message = refusal(std::string_view(text));
        CHECK(message.find("'" + std::string(text) + "'") != std::string::npos);
        CHECK(message.size() > std::string(text).size() + 20); // and it says why
    }
    CHECK(refusal(std::string_view("1.2.3"), std::uint16_t{80}).find("'1.2.3'") !=
          std::string::npos);
    CHECK_FALSE(refusal(std::string_view("1.2.3.4:5"), std::uint16_t{80}).empty());
    CHECK_FALSE(refusal(std::string_view("[::1]"), std::uint16_t{80}).empty());
    CHECK_FALSE(refusal(std::string_view("127.0.0.1\0:80", 13)).empty());
}
