// SPDX-License-Identifier: MIT
//
// The ids of the groups of buffers that are lent to a kernel, of which there are 65,536.

#include <coracle/coracle.hpp>
#include <coracle/io/linux/provided_buffers.hpp>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <string>

using namespace coracle;

TEST_CASE("provided_buffers: the id of a group that has ended is used again, and no sooner") {
    uring::ring ring;
    std::string reason;
    if (!ring.open(8, reason)) {
        MESSAGE("skipped, because io_uring does not work here: " << reason);
        return;
    }
    uring::buffer_groups groups(ring);
    buffer_pool first(4, 64);
    uring::buffer_group* const kept = groups.group_for(first, {});
    REQUIRE(kept);
    CHECK(kept->id() == 0);
    for (int i = 0; i < 10; ++i) {
        buffer_pool next(4, 64);
        uring::buffer_group* const group = groups.group_for(next, {});
        REQUIRE(group);
        CHECK(group->id() == 1);
        CHECK(groups.group_for(next, {}) == group);
    }

    auto ended = std::make_unique<buffer_pool>(4, 64);
    uring::buffer_group* const used = groups.group_for(*ended, {});
    REQUIRE(used);
    used->add_user(); // a multishot
    ended.reset();
    CHECK_FALSE(used->take(0, 1)); // what comes late has no buffer
    buffer_pool next(4, 64);
    uring::buffer_group* const other = groups.group_for(next, {});
    REQUIRE(other);
    CHECK(other->id() == 2);
    used->remove_user();
    buffer_pool last(4, 64);
    uring::buffer_group* const again = groups.group_for(last, {});
    REQUIRE(again);
    CHECK(again->id() == 1);
}
