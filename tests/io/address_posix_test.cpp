// SPDX-License-Identifier: MIT
//
// Random addresses, as the system's own functions read and write them.

#include <arpa/inet.h>
#include <array>
#include <coracle/io/address.hpp>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
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

} // namespace

TEST_CASE("address: goes to text and back, and agrees with the system's own functions") {
    constexpr unsigned seed = 20240229;
    std::mt19937 random(seed);
    const auto any = [&random](unsigned below) { return static_cast<unsigned>(random() % below); };
    for (int i = 0; i < 20'000; ++i) {
        std::array<std::uint8_t, 16> bytes = {};
        for (std::size_t group = 0; group < 8; ++group) {
            if (any(2) == 0)
                continue; // plenty of zeros, so that runs of them come up
            bytes[2 * group] = static_cast<std::uint8_t>(any(3) == 0 ? 0 : any(256));
            bytes[2 * group + 1] = static_cast<std::uint8_t>(any(256));
        }
        const auto port = static_cast<std::uint16_t>(any(65536));
        const address v6(bytes, port, any(2) == 0 ? 0 : any(1000));
        CAPTURE(to_string(v6));
        REQUIRE(address::parse(to_string(v6)) == v6);

        std::array<char, INET6_ADDRSTRLEN> text = {};
        REQUIRE(::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size()) != nullptr);
        REQUIRE(address::parse(text.data(), 0).bytes() == bytes);

        const address v4(std::array<std::uint8_t, 4>{bytes[1], bytes[3], bytes[5], bytes[7]}, port);
        REQUIRE(address::parse(to_string(v4)) == v4);
    }
}

TEST_CASE("address: random text is refused or read as the system reads it") {
    constexpr unsigned seed = 4711;
    std::mt19937 random(seed);
    constexpr std::string_view work_items = "::::....0123456789afAF%[]g ";
    for (int i = 0; i < 50'000; ++i) {
        std::string text;
        for (auto size = random() % 24; size > 0; --size)
            text += work_items[random() % work_items.size()];
        if (text.find('%') != std::string::npos)
            continue; // the system's function knows no interfaces
        CAPTURE(text);
        std::array<std::uint8_t, 16> bytes = {};
        const bool v6 = ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
        const bool known = v6 || ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1;
        REQUIRE(refusal(std::string_view(text), std::uint16_t{1}).empty() == known);
        if (known)
            REQUIRE(address::parse(text, 1).bytes() == bytes);
    }
}
