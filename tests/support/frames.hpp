// SPDX-License-Identifier: MIT
//
// What the tests of the frame pool share: frames that remember their size and contents, and work
// done on a thread of its own.
#pragma once

#include <algorithm>
#include <coracle/memory/frame_allocator.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <cstddef>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

namespace coracle::test {

/// Whether frames come from the pool at all in this build.
#if defined(CORACLE_NO_POOL)
inline constexpr bool pool_is_on = false;
#else
inline constexpr bool pool_is_on = true;
#endif

/// A frame filled with one byte. Two frames that overlap spoil each other's contents.
struct filled_frame {
    void* address = nullptr;
    std::size_t bytes = 0;
    std::byte content{};

    static filled_frame make(std::size_t bytes, unsigned content) {
        filled_frame made{allocate_frame(bytes), bytes, static_cast<std::byte>(content)};
        std::memset(made.address, static_cast<int>(content & 0xff), bytes);
        return made;
    }

    bool is_intact() const {
        const std::span contents(static_cast<const std::byte*>(address), bytes);
        return std::all_of(contents.begin(), contents.end(),
                           [this](std::byte each) { return each == content; });
    }

    void free() const { deallocate_frame(address, bytes); }
};

inline std::vector<void*> allocate_frames(std::size_t count, std::size_t bytes) {
    std::vector<void*> frames(count);
    std::generate(frames.begin(), frames.end(), [bytes] { return allocate_frame(bytes); });
    return frames;
}

inline void deallocate_frames(std::span<void* const> frames, std::size_t bytes) {
    for (void* frame : frames) {
        deallocate_frame(frame, bytes);
    }
}

/// Runs `work` on a new thread and waits until that thread has ended.
template <typename Work>
void on_another_thread(Work work) {
    std::thread(std::move(work)).join();
}

} // namespace coracle::test
