// SPDX-License-Identifier: MIT
//
// Which addresses share a limit, and how permits are counted.
#include <address_limit.hpp>
#include <doctest/doctest.h>
#include <optional>
#include <string_view>

using coracle::address;

namespace {

bool share(std::string_view one, std::string_view other) {
    return chat::compared_part(address::parse(one, 1)) ==
           chat::compared_part(address::parse(other, 2));
}

} // namespace

TEST_CASE("chat address_limit: an IPv4 address is one, whatever the port") {
    CHECK(share("192.0.2.1", "192.0.2.1"));
    CHECK_FALSE(share("192.0.2.1", "192.0.2.2"));
    CHECK(share("::ffff:192.0.2.1", "192.0.2.1"));
    CHECK_FALSE(share("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
}

TEST_CASE("chat address_limit: IPv6 addresses that begin with the same 64 bits are one") {
    CHECK(share("2001:db8::1", "2001:db8:0:0:ffff::"));
    CHECK_FALSE(share("2001:db8::1", "2001:db8:0:1::1"));
    CHECK_FALSE(share("::1", "0.0.0.0"));
}

TEST_CASE("chat address_limit: permits run out and come back") {
    chat::address_limit limit(2);
    const address one = address::loopback_v4(1);
    auto first = limit.try_acquire(one);
    auto second = limit.try_acquire(one);
    REQUIRE(first);
    REQUIRE(second);
    CHECK_FALSE(limit.try_acquire(one));
    CHECK(limit.try_acquire(address::loopback_v6(1)));
    first.reset();
    CHECK(limit.try_acquire(one)); // and returned at once
    const auto third = limit.try_acquire(one);
    CHECK(third);
    CHECK_FALSE(limit.try_acquire(one));
}

TEST_CASE("chat address_limit: zero is no limit") {
    chat::address_limit limit(0);
    const address one = address::loopback_v4(1);
    const auto first = limit.try_acquire(one);
    const auto second = limit.try_acquire(one);
    CHECK(first);
    CHECK(second);
}
