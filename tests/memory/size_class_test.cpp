// SPDX-License-Identifier: MIT
//
// The size classes: each size is in the smallest class that holds it, and no class wastes much.

#include <coracle/memory/size_class.hpp>
#include <cstddef>
#include <doctest/doctest.h>

using namespace coracle;

TEST_CASE("size_class: every size is in the smallest class that holds it") {
    for (std::size_t bytes = 1; bytes <= largest_block_bytes; ++bytes) {
        const std::size_t size_class = size_class_of(bytes);
        REQUIRE(size_class < size_class_count);
        REQUIRE(block_bytes_of(size_class) >= bytes);
        if (size_class > 0) {
            REQUIRE(block_bytes_of(size_class - 1) < bytes);
        }
    }
}

TEST_CASE("size_class: nothing at all is in the first class") {
    CHECK(size_class_of(0) == 0);
}

TEST_CASE("size_class: small blocks are 64 bytes apart, larger ones an eighth of their doubling") {
    CHECK(block_bytes_of(0) == 64);
    CHECK(block_bytes_of(15) == 1024);
    CHECK(block_bytes_of(16) == 1152);
    CHECK(block_bytes_of(23) == 2048);
    CHECK(block_bytes_of(24) == 2304);
    CHECK(block_bytes_of(size_class_count - 1) == 32 * 1024);
    for (std::size_t size_class = 1; size_class < size_class_count; ++size_class) {
        const std::size_t smaller = block_bytes_of(size_class - 1);
        const std::size_t step = block_bytes_of(size_class) - smaller;
        CHECK(step % smallest_block_bytes == 0);
        CHECK(step <= (smaller < 1024 ? 64 : smaller / 8));
    }
}
