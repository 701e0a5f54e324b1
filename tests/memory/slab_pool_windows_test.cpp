// SPDX-License-Identifier: MIT
//
// The frame pool and threads that only Windows makes.

#include "frames.hpp"

#include <doctest/doctest.h>
#include <set>

#include <windows.h>

using namespace coracle;
using namespace coracle::test;

namespace {

DWORD WINAPI use_a_frame(void* pools) {
    deallocate_frame(allocate_frame(64), 64);
    static_cast<std::set<detail::slab_pool*>*>(pools)->insert(detail::current_pool);
    return 0;
}

} // namespace

TEST_CASE("slab_pool: a thread that the C++ library has not made lets go of its pool" *
          doctest::skip(!pool_is_on)) {
    std::set<detail::slab_pool*> pools;
    for (int round = 0; round < 50; ++round) {
        const HANDLE thread = ::CreateThread(nullptr, 0, use_a_frame, &pools, 0, nullptr);
        REQUIRE(thread != nullptr);
        CHECK(::WaitForSingleObject(thread, INFINITE) == WAIT_OBJECT_0);
        ::CloseHandle(thread);
    }
    CHECK(pools.size() == 1);
}
