// SPDX-License-Identifier: MIT
//
// Memory runs out at the first allocation, at the second, and so on: of an object or of a frame,
// once or for good. It is std::bad_alloc for whoever awaits what needed it. Nothing else ends, and
// nothing is left.

#include "fault_sweep.hpp"

#include <cerrno>
#include <coracle/memory/frame_allocator.hpp>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// It is thrown, or named where there is nobody to throw it to.
void check(const fault_outcome& outcome) {
    CHECK((outcome.ran_out_of_memory() || (outcome.completed() && outcome.warnings > 0)));
}

/// Nor is anything lost where there is a way to do without.
void check_with_other_ways(const fault_outcome& outcome) {
    CHECK((outcome.ran_out_of_memory() || outcome.completed()));
}

task<> everything_at_once() {
    event never;
    auto sleeping = [](std::chrono::nanoseconds time) -> task<> { co_await sleep_for(time); };
    auto body = [&](task_group& group) -> task<> {
        group.start(sleeping, 1us);
        group.start(when_any(never.wait(), sleeping(1us)));
        std::vector<task<>> some;
        for (int i = 0; i < 3; ++i)
            some.push_back(sleeping(1us));
        co_await when_all(std::move(some));
        const auto late = co_await as_result(with_timeout(1us, never.wait()));
        require_that(late.error() == std::errc::timed_out);
        co_await shielded(sleeping(1us));
        co_await group.wait_for_others();
        group.start(sleeping, 1h);
        group.cancel();
    };
    co_await with_task_group(body);
    co_await signalled();
    int posted = 0;
    context::current().handle().post([&posted] { ++posted; });
    co_await sleep_for(1us);
    require_that(posted == 1);
}

} // namespace

TEST_CASE("allocation: each one fails once during conversations") {
    CHECK(fail_each("allocate", ENOMEM, conversations, check) > 25);
}

TEST_CASE("allocation: memory has run out from each one on during conversations") {
    CHECK(fail_each("allocate", ENOMEM, conversations, check, fault::lasting::always) > 25);
}

TEST_CASE("allocation: each one fails of groups, races, time limits and signals") {
    CHECK(fail_each("allocate", ENOMEM, everything_at_once, check) > 20);
    CHECK(fail_each("allocate", ENOMEM, everything_at_once, check, fault::lasting::always) > 20);
}

TEST_CASE("allocation: each one fails of those that are accepted, received and handed on") {
    CHECK(fail_each("allocate", ENOMEM, burst, check_with_other_ways) > 20);
    CHECK(fail_each("allocate", ENOMEM, burst, check_with_other_ways, fault::lasting::always) > 20);
    CHECK(fail_each("allocate", ENOMEM, handed_on, check) > 5);
    CHECK(fail_each("allocate", ENOMEM, received, check_with_other_ways) > 5);
    CHECK(fail_each("allocate", ENOMEM, received, check_with_other_ways, fault::lasting::always) >
          5);
}

TEST_CASE("allocation: each mapping of a chunk of frames fails") {
    const auto with_no_chunk_left = []() -> task<> {
        trim();
        co_await conversations();
    };
    CHECK(fail_each("mmap", ENOMEM, with_no_chunk_left, check) > 3);
}
