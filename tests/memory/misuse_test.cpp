// SPDX-License-Identifier: MIT
//
// Rules that a program breaks: each stops it with a message that names the rule, or with the
// sanitizer's report. Every case runs in a child process.

#include "child_process.hpp"
#include "frames.hpp"

#include <coracle/memory/fatal.hpp>
#include <coracle/memory/sanitize.hpp>
#include <doctest/doctest.h>

using namespace coracle;
using namespace coracle::test;

namespace {

#if defined(CORACLE_ADDRESS_SANITIZER)
constexpr bool address_sanitizer_is_on = true;
#else
constexpr bool address_sanitizer_is_on = false;
#endif

/// Says so and returns true where nobody looks at what is freed.
bool frees_are_unchecked() {
    if (!pool_is_on || !detail::frames_are_checked) {
        MESSAGE("skipped: this build does not check what is freed");
        return true;
    }
    return false;
}

} // namespace

TEST_CASE("fatal: one line on stderr, then an abort") {
    const child_outcome outcome = in_child_process([] { detail::fatal("the boat has a hole"); });
    CHECK(outcome.aborted);
    CHECK(outcome.error_output == "coracle: fatal: the boat has a hole\n");
}

TEST_CASE("fatal: a message that is too long is cut") {
    const child_outcome outcome =
        in_child_process([] { detail::fatal(std::string(100'000, 'x')); });
    CHECK(outcome.aborted);
    CHECK(outcome.error_output.size() == 4096);
    CHECK(outcome.error_output.back() == '\n');
}

TEST_CASE("slab_pool: a frame freed twice stops the program") {
    if (frees_are_unchecked()) {
        return;
    }
    const child_outcome outcome = in_child_process([] {
        void* frame = allocate_frame(128);
        deallocate_frame(frame, 128);
        deallocate_frame(frame, 128);
    });
    CHECK(outcome.aborted);
    CHECK(outcome.error_output == "coracle: fatal: a frame is freed twice\n");
}

TEST_CASE("slab_pool: a frame of another thread freed twice stops the program") {
    if (frees_are_unchecked()) {
        return;
    }
    void* frame = nullptr;
    on_another_thread([&frame] { frame = allocate_frame(128); });
    const child_outcome outcome = in_child_process([frame] {
        deallocate_frame(frame, 128);
        deallocate_frame(frame, 128);
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a frame is freed twice"));
    deallocate_frame(frame, 128);
}

TEST_CASE("slab_pool: a frame may be freed again once it was handed out again") {
    for (int round = 0; round < 3; ++round) {
        // Nothing is written to the frame, so nothing but the pool clears the mark.
        void* frame = allocate_frame(128);
        deallocate_frame(frame, 128);
    }
}

TEST_CASE("slab_pool: a frame freed with a size of another class stops the program") {
    if (frees_are_unchecked()) {
        return;
    }
    const child_outcome outcome = in_child_process([] {
        void* frame = allocate_frame(128);
        deallocate_frame(frame, 129);
    });
    CHECK(outcome.aborted);
    CHECK(outcome.error_output ==
          "coracle: fatal: a frame is freed with a size other than it was allocated with\n");
}

TEST_CASE("slab_pool: a freed frame is filled" * doctest::skip(!pool_is_on)) {
    if (frees_are_unchecked()) {
        return;
    }
    const filled_frame first = filled_frame::make(512, 1);
    first.free();
    auto* again = static_cast<std::byte*>(allocate_frame(512));
    REQUIRE(again == first.address);
    detail::mark_written(again, 512); // to valgrind and MSan a new frame holds nothing defined
    CHECK(std::all_of(again + sizeof(detail::free_block), again + 512,
                      [](std::byte each) { return each == std::byte{0xdf}; }));
    deallocate_frame(again, 512);
}

TEST_CASE("sanitize: a use after free of a pooled frame is reported") {
    if (!address_sanitizer_is_on) {
        MESSAGE("skipped: not built with AddressSanitizer");
        return;
    }
    for (const std::size_t offset : {0U, 8U, 300U, 511U}) {
        CAPTURE(offset);
        const child_outcome outcome = in_child_process([offset] {
            auto* frame = static_cast<volatile char*>(allocate_frame(512));
            deallocate_frame(const_cast<char*>(frame), 512);
            frame[offset] = 1;
        });
        CHECK(!outcome.succeeded);
        CHECK(outcome.said(pool_is_on ? "use-after-poison" : "heap-use-after-free"));
    }
}

TEST_CASE("sanitize: memory past the end of what was carved is reported") {
    if (!address_sanitizer_is_on || !pool_is_on) {
        MESSAGE("skipped: not built with AddressSanitizer and the pool");
        return;
    }
    const child_outcome outcome = in_child_process([] {
        auto* frame = static_cast<volatile char*>(allocate_frame(largest_block_bytes));
        frame[largest_block_bytes] = 1;
    });
    CHECK(!outcome.succeeded);
    CHECK(outcome.said("use-after-poison"));
}

#if defined(CORACLE_ADDRESS_SANITIZER)

namespace {

/// Leaves a frame behind that alone holds a heap object, and nothing of it on the stack.
[[gnu::noinline]] void hold_heap_memory_by_a_frame() {
    auto** frame = static_cast<int**>(allocate_frame(64));
    *frame = new int(1);
}

/// Writes over what calls before it left on the stack.
[[gnu::noinline]] void clear_stack() {
    volatile char room[4096];
    for (volatile char& each : room) {
        each = 0;
    }
}

} // namespace

TEST_CASE("sanitize: what a live frame holds is not a leak" * doctest::skip(!pool_is_on)) {
    const child_outcome outcome = in_child_process([] {
        hold_heap_memory_by_a_frame();
        clear_stack();
        std::_Exit(__lsan_do_recoverable_leak_check() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    });
    CHECK(outcome.error_output == "");
    CHECK(outcome.succeeded);
}

#endif
