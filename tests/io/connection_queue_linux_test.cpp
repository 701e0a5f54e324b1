// SPDX-License-Identifier: MIT

#include <coracle/io/linux/connection_queue.hpp>
#include <cstddef>
#include <doctest/doctest.h>

using namespace coracle;

TEST_CASE("connection_queue: one that is never empty does not grow") {
    uring::connection_queue queue;
    native_handle pushed = 0;
    native_handle popped = 0;
    for (int i = 0; i < 3; ++i)
        queue.push(pushed++);
    for (int i = 0; i < 100'000; ++i) {
        queue.push(pushed++);
        REQUIRE(queue.pop() == popped++);
    }
    CHECK(queue.size() == 3);
    CHECK(queue.capacity() <= 16);
}

TEST_CASE("connection_queue: it keeps the order while it grows") {
    uring::connection_queue queue;
    native_handle pushed = 0;
    native_handle popped = 0;
    for (int i = 0; i < 10; ++i)
        queue.push(pushed++);
    for (int i = 0; i < 7; ++i)
        REQUIRE(queue.pop() == popped++);
    for (int i = 0; i < 1000; ++i)
        queue.push(pushed++);
    while (!queue.empty())
        REQUIRE(queue.pop() == popped++);
    CHECK(popped == pushed);
}
