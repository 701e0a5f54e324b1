// SPDX-License-Identifier: MIT
//
// The frame pool on one thread: sizes, alignment, reuse, trimming, and a long random run against a
// model.

#include "child_process.hpp"
#include "frames.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <new>
#include <random>
#include <set>
#include <vector>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("slab_pool: frames at every boundary of a class are aligned and do not overlap") {
    std::vector<filled_frame> frames;
    unsigned content = 0;
    for (std::size_t size_class = 0; size_class < size_class_count; ++size_class) {
        const std::size_t bytes = block_bytes_of(size_class);
        const std::size_t smallest = size_class == 0 ? 1 : block_bytes_of(size_class - 1) + 1;
        for (const std::size_t each : {smallest, bytes - 1, bytes}) {
            frames.push_back(filled_frame::make(each, ++content));
        }
    }
    for (const std::size_t large : {largest_block_bytes + 1, std::size_t{1} << 20}) {
        frames.push_back(filled_frame::make(large, ++content));
    }
    for (const filled_frame& frame : frames) {
        const auto address = reinterpret_cast<std::uintptr_t>(frame.address);
        const bool is_pooled = pool_is_on && frame.bytes <= largest_block_bytes;
        CHECK(address % (is_pooled ? smallest_block_bytes : 16) == 0);
        CHECK(frame.is_intact());
        frame.free();
    }
}

TEST_CASE("slab_pool: the frame freed last is the next one handed out" *
          doctest::skip(!pool_is_on)) {
    void* first = allocate_frame(200);
    void* second = allocate_frame(250);
    deallocate_frame(first, 200);
    deallocate_frame(second, 250);
    CHECK(allocate_frame(193) == second);
    CHECK(allocate_frame(256) == first);
    deallocate_frame(first, 256);
    deallocate_frame(second, 193);
}

TEST_CASE("slab_pool: a steady state maps nothing" * doctest::skip(!pool_is_on)) {
    deallocate_frames(allocate_frames(1000, 500), 500);
    const std::size_t mapped = usage().slab_bytes;
    for (int round = 0; round < 100; ++round) {
        deallocate_frames(allocate_frames(1000, 500), 500);
    }
    CHECK(usage().slab_bytes == mapped);
}

TEST_CASE("slab_pool: trim gives back the chunks in which nothing lives" *
          doctest::skip(!pool_is_on)) {
    trim();
    const std::size_t mapped_before = usage().slab_bytes;
    constexpr std::size_t bytes = 1024;
    constexpr std::size_t count = 64 * 1024;
    std::vector<void*> frames = allocate_frames(count, bytes);
    for (void* frame : frames) {
        std::memset(frame, 1, bytes);
    }
    const filled_frame survivor = filled_frame::make(bytes, 7);
    const usage_report full = usage();
    CHECK(full.slab_bytes - mapped_before >= count * bytes);

    CHECK(trim() == 0);
    deallocate_frames(frames, bytes);
    const std::size_t given_back = trim();
    const usage_report trimmed = usage();
    CHECK(trimmed.slab_bytes == full.slab_bytes - given_back);
    CHECK(trimmed.slab_bytes <= mapped_before + detail::chunk_bytes);
    CHECK(trimmed.resident_bytes <= full.resident_bytes - count * bytes / 2);
    CHECK(survivor.is_intact());

    // What is left of the pool still works.
    frames = allocate_frames(1000, bytes);
    CHECK(std::set<void*>(frames.begin(), frames.end()).size() == 1000);
    CHECK(std::find(frames.begin(), frames.end(), survivor.address) == frames.end());
    deallocate_frames(frames, bytes);
    survivor.free();
    trim();
    CHECK(usage().slab_bytes == mapped_before);
}

TEST_CASE("slab_pool: trimming keeps the order of what is left" * doctest::skip(!pool_is_on)) {
    std::vector<void*> frames = allocate_frames(8, 3000);
    for (const std::size_t index : {5U, 2U, 7U}) {
        deallocate_frame(frames[index], 3000);
    }
    trim();
    CHECK(allocate_frame(3000) == frames[7]);
    CHECK(allocate_frame(3000) == frames[2]);
    CHECK(allocate_frame(3000) == frames[5]);
    deallocate_frames(frames, 3000);
}

namespace {

/// Frames picked at random, and next to them what the pool ought to report.
class random_run {
public:
    explicit random_run(std::uint64_t seed) : random_(seed), before_(usage()) {}

    void step() {
        const auto choice = pick(100);
        if (frames_.empty() || choice < 51) {
            allocate();
        } else if (choice < 98) {
            free_one();
        } else if (choice < 99) {
            free_some_elsewhere();
        } else {
            trim();
        }
    }

    void check_report() const {
        const usage_report report = usage();
        for (std::size_t each = 0; each < size_class_count; ++each) {
            REQUIRE(report.classes[each].live_frames ==
                    before_.classes[each].live_frames + live_[each]);
        }
        REQUIRE(report.large_frames == before_.large_frames + live_large_);
        REQUIRE(report.large_bytes == before_.large_bytes + live_large_bytes_);
    }

    void finish() {
        while (!frames_.empty()) {
            free_one();
        }
        check_report();
    }

private:
    std::size_t pick(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }

    void allocate() {
        // Every power of two is as likely as the next, up to 64 KiB.
        const std::size_t limit = std::size_t{2} << pick(16);
        const std::size_t bytes = 1 + pick(limit);
        frames_.push_back(filled_frame::make(bytes, static_cast<unsigned>(pick(256))));
        count(bytes, 1);
    }

    filled_frame take_one() {
        std::swap(frames_[pick(frames_.size())], frames_.back());
        const filled_frame frame = frames_.back();
        frames_.pop_back();
        count(frame.bytes, static_cast<std::size_t>(-1));
        REQUIRE(frame.is_intact());
        return frame;
    }

    void free_one() { take_one().free(); }

    void free_some_elsewhere() {
        std::vector<filled_frame> taken;
        while (!frames_.empty() && taken.size() < 20) {
            taken.push_back(take_one());
        }
        on_another_thread([&taken] {
            for (const filled_frame& frame : taken) {
                frame.free();
            }
        });
    }

    void count(std::size_t bytes, std::size_t by) {
        if (bytes > largest_block_bytes) {
            live_large_ += by;
            live_large_bytes_ += by * bytes;
        } else {
            live_[size_class_of(bytes)] += by;
        }
    }

    std::mt19937_64 random_;
    usage_report before_;
    std::vector<filled_frame> frames_;
    std::array<std::size_t, size_class_count> live_{};
    std::size_t live_large_ = 0;
    std::size_t live_large_bytes_ = 0;
};

} // namespace

TEST_CASE("slab_pool: a random run agrees with a model") {
    for (const std::uint64_t seed : {1U, 20250U, 77U}) {
        CAPTURE(seed);
        random_run run(seed);
        for (int step = 0; step < 10'000; ++step) {
            run.step();
            if (step % 500 == 0) {
                run.check_report();
            }
        }
        run.finish();
    }
}
