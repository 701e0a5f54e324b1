// SPDX-License-Identifier: MIT
//
// The frame pool where the system limits a process's memory.

#include "child_process.hpp"
#include "frames.hpp"

#include <doctest/doctest.h>
#include <new>
#include <sys/resource.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("slab_pool: without memory it throws, and goes on once there is some" *
          doctest::skip(!pool_is_on)) {
#if defined(CORACLE_ADDRESS_SANITIZER) || defined(CORACLE_THREAD_SANITIZER) ||                     \
    defined(CORACLE_VALGRIND)
    MESSAGE("skipped: a sanitizer cannot live with a limit on the address space");
#else
    const child_outcome outcome = in_child_process([] {
        const rlimit limit{512 << 20, 512 << 20};
        if (::setrlimit(RLIMIT_AS, &limit) != 0) {
            std::_Exit(2);
        }
        std::vector<void*> frames;
        frames.reserve(32 * 1024);
        bool was_refused = false;
        while (!was_refused) {
            try {
                frames.push_back(allocate_frame(largest_block_bytes));
            } catch (const std::bad_alloc&) {
                was_refused = true;
            }
        }
        deallocate_frames(frames, largest_block_bytes);
        const std::size_t given_back = trim();
        void* frame = allocate_frame(largest_block_bytes);
        deallocate_frame(frame, largest_block_bytes);
        std::_Exit(frames.size() > 1000 && given_back > frames.size() * largest_block_bytes ? 0
                                                                                            : 3);
    });
    CHECK(outcome.error_output == "");
    CHECK(outcome.succeeded);
#endif
}
