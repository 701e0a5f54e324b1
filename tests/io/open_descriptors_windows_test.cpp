// SPDX-License-Identifier: MIT
//
// How the tests look for what is left open. Listing the handles of all processes in one call makes
// Wine's server crash when it meets a process that has just begun; every program under it then ends
// at once, as if it had succeeded, or hangs if it has further threads.

#include "raw_sockets.hpp"

#include <algorithm>
#include <chrono>
#include <coracle/io/network.hpp>
#include <doctest/doctest.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("open_descriptors: those that are open, and no others") {
    const std::vector<native_handle> before = open_descriptors();
    const auto [one, other] = raw_pair();
    const std::vector<native_handle> during = open_descriptors();
    CHECK(during.size() == before.size() + 2);
    CHECK(std::count(during.begin(), during.end(), one) == 1);
    CHECK(std::count(during.begin(), during.end(), other) == 1);
    close_raw(one);
    close_raw(other);
    CHECK(open_descriptors() == before);
}

TEST_CASE("open_descriptors: can be asked for while processes begin and end") {
    const std::vector<native_handle> before = open_descriptors();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    do
        CHECK(open_descriptors() == before);
    while (std::chrono::steady_clock::now() < end);
}
