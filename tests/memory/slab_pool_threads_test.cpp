// SPDX-License-Identifier: MIT
//
// The frame pool among threads: frees from elsewhere, threads that end with frames alive, and
// adoption. Threads are joined before anything is asserted, so nothing here depends on timing.

#include "frames.hpp"

#include <array>
#include <atomic>
#include <doctest/doctest.h>
#include <random>
#include <set>
#include <thread>
#include <vector>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("slab_pool: a remote free returns to its owner" * doctest::skip(!pool_is_on)) {
    on_another_thread([] {
        // Blocks of the largest class are carved one by one, so each list is empty at this point.
        const std::vector<void*> frames = allocate_frames(7, largest_block_bytes);
        on_another_thread([&] { deallocate_frame(frames[3], largest_block_bytes); });
        const std::size_t mapped = usage().slab_bytes;
        CHECK(allocate_frame(largest_block_bytes) == frames[3]);
        CHECK(usage().slab_bytes == mapped);
        deallocate_frames(frames, largest_block_bytes);
    });
}

TEST_CASE("slab_pool: frames go to and fro between threads") {
    constexpr std::size_t thread_count = 4;
    constexpr int rounds = 20'000;
    const std::size_t live_before = usage().live_frames;

    // Each slot holds a frame that somebody left for whoever comes next.
    struct alignas(64) slot {
        std::atomic<filled_frame*> frame{nullptr};
    };

    std::array<slot, 16> slots;
    std::atomic<int> spoiled{0};
    const auto retire = [&spoiled](filled_frame* frame) {
        if (frame != nullptr) {
            spoiled += frame->is_intact() ? 0 : 1;
            frame->free();
            delete frame;
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < thread_count; ++number) {
        threads.emplace_back([&, number] {
            std::mt19937_64 random(number);
            for (int round = 0; round < rounds; ++round) {
                const std::size_t bytes = 1 + random() % 1500;
                const auto content = static_cast<unsigned>(random() % 256);
                auto* frame = new filled_frame(filled_frame::make(bytes, content));
                slot& place = slots[random() % slots.size()];
                retire(place.frame.exchange(frame, std::memory_order_acq_rel));
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    for (slot& each : slots) {
        retire(each.frame.load());
    }
    CHECK(spoiled == 0);
    CHECK(usage().live_frames == live_before);
}

TEST_CASE("slab_pool: a thread that holds no pool can free") {
    const std::size_t live_before = usage().live_frames;
    const std::vector<void*> frames = allocate_frames(100, 300);
    on_another_thread([&] {
        deallocate_frames(frames, 300);
        CHECK(detail::current_pool == &detail::no_pool);
    });
    CHECK(usage().live_frames == live_before);
}

TEST_CASE("slab_pool: a thread that ends gives back its empty chunks" *
          doctest::skip(!pool_is_on)) {
    trim();
    const std::size_t mapped = usage().slab_bytes;
    on_another_thread([] { deallocate_frames(allocate_frames(5000, 400), 400); });
    CHECK(usage().slab_bytes == mapped);
}

TEST_CASE("slab_pool: late frees into an ended thread's chunks are found by the adopter" *
          doctest::skip(!pool_is_on)) {
    // Ten chunks of blocks that are carved one by one, so that no free list has one to spare.
    constexpr std::size_t count = 70;
    constexpr std::size_t bytes = largest_block_bytes;
    std::vector<void*> frames;
    on_another_thread([&] { frames = allocate_frames(count, bytes); });
    for (void* frame : frames) {
        std::memset(frame, 3, bytes); // still mapped, still ours
    }
    const usage_report orphaned = usage();
    deallocate_frames(frames, bytes);
    CHECK(usage().live_frames == orphaned.live_frames - count);
    CHECK(usage().slab_bytes == orphaned.slab_bytes);

    const std::set<void*> addresses(frames.begin(), frames.end());
    on_another_thread([&] {
        const std::vector<void*> adopted = allocate_frames(count, bytes);
        CHECK(std::set<void*>(adopted.begin(), adopted.end()) == addresses);
        CHECK(usage().slab_bytes == orphaned.slab_bytes);
        deallocate_frames(adopted, bytes);
    });
}

TEST_CASE("slab_pool: trim reaches what ended threads left" * doctest::skip(!pool_is_on)) {
    trim();
    const std::size_t mapped = usage().slab_bytes;
    std::vector<void*> frames;
    on_another_thread([&] { frames = allocate_frames(3000, 400); });
    CHECK(trim() == 0);
    deallocate_frames(frames, 400);
    CHECK(trim() > 0);
    CHECK(usage().slab_bytes == mapped);
}

TEST_CASE("slab_pool: threads that come and go reuse each other's pools" *
          doctest::skip(!pool_is_on)) {
    std::set<detail::slab_pool*> pools;
    for (int round = 0; round < 50; ++round) {
        on_another_thread([&] {
            deallocate_frame(allocate_frame(64), 64);
            pools.insert(detail::current_pool);
        });
    }
    CHECK(pools.size() == 1);
}

namespace {

/// Frees a frame, and allocates another, when its thread ends. What it needs for that is no member,
/// because a thread's memory may be freed before what lies in it is destroyed (thread_end_windows).
struct frees_at_thread_end {
    static constexpr std::size_t bytes = 700;
    static inline void* frame = nullptr;
    static inline bool held_no_pool = false;

    frees_at_thread_end() {} // so that it is made where it stands

    ~frees_at_thread_end() {
        held_no_pool = detail::current_pool == &detail::no_pool;
        deallocate_frame(frame, bytes);
        const filled_frame last = filled_frame::make(bytes, 9);
        last.free();
    }
};

} // namespace

TEST_CASE("slab_pool: a destructor of a thread_local frees after the pool was let go") {
    trim();
    const usage_report before = usage();
    on_another_thread([] {
        // Made before the first frame, so it is destroyed after the pool was let go.
        thread_local const frees_at_thread_end at_end;
        frees_at_thread_end::frame = allocate_frame(frees_at_thread_end::bytes);
    });
    CHECK(frees_at_thread_end::held_no_pool);
    CHECK(usage().live_frames == before.live_frames);
    trim();
    CHECK(usage().slab_bytes == before.slab_bytes);
}

TEST_CASE("slab_pool: frames of a destructor of a thread_local leave no pool held" *
          doctest::skip(!pool_is_on)) {
    static std::set<detail::slab_pool*> pools;

    struct uses_a_frame_at_thread_end {
        uses_a_frame_at_thread_end() {}

        ~uses_a_frame_at_thread_end() {
            deallocate_frame(allocate_frame(64), 64);
            pools.insert(detail::current_pool);
        }
    };

    for (int round = 0; round < 50; ++round) {
        on_another_thread([] {
            deallocate_frame(allocate_frame(64), 64);
            pools.insert(detail::current_pool);
            // Made after the first frame, so it is destroyed before the pool is let go.
            thread_local const uses_a_frame_at_thread_end at_end;
        });
    }
    // The first one is another where the thread has forgotten by then which one it holds.
    CHECK(pools.size() <= 2);
}

TEST_CASE("slab_pool: many threads end with frames alive, and others free them") {
    const std::size_t live_before = usage().live_frames;
    constexpr std::size_t thread_count = 8;
    std::array<std::vector<void*>, thread_count> left_behind;
    for (int round = 0; round < 5; ++round) {
        std::vector<std::thread> threads;
        for (std::size_t number = 0; number < thread_count; ++number) {
            threads.emplace_back([&, number] {
                std::vector<void*>& mine = left_behind[number];
                deallocate_frames(mine, 160); // of a thread of the round before
                mine = allocate_frames(500, 160);
            });
        }
        for (std::thread& each : threads) {
            each.join();
        }
    }
    CHECK(usage().live_frames == live_before + 500 * thread_count);
    for (const std::vector<void*>& frames : left_behind) {
        deallocate_frames(frames, 160);
    }
    CHECK(usage().live_frames == live_before);
}
