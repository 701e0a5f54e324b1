// SPDX-License-Identifier: MIT
//
// figures: what this process holds, counted from outside of the library: the program's own malloc
// counts every block that is taken and given back, /proc tells the rest. Under the address and
// thread sanitizers their allocator counts instead. Both programs of a scenario use this one, so
// that the one that leaks shows that the detector works, and the other that nothing leaks.
#pragma once

#include <cstddef>

namespace coracle::test {

struct figures {
    std::size_t allocations;    // blocks taken since the start: malloc, operator new, and so on
    std::size_t live_blocks;    // of those, the ones that have not been given back
    std::size_t live_bytes;     // in them
    std::size_t mapped_bytes;   // of the whole process
    std::size_t resident_bytes; // of those, the ones in memory
    std::size_t descriptors;    // open
};

/// Takes the figures. What taking them allocates is given back, but counts as allocations.
[[nodiscard]] figures take_figures();

/// What the kernel watches for this process, by what it tells of each descriptor: the registrations
/// of epoll instances, and the polls under way of rings.
[[nodiscard]] std::size_t kernel_registrations();

/// One line, "name=value", which the test reads.
void tell(const char* name, long long value);

/// How much more it is than before, which may be less.
inline void tell_difference(const char* name, std::size_t now, std::size_t before) {
    tell(name, static_cast<long long>(now) - static_cast<long long>(before));
}

/// What is left of the process's own, since `before`.
inline void tell_left(const figures& now, const figures& before) {
    tell_difference("blocks_left", now.live_blocks, before.live_blocks);
    tell_difference("bytes_left", now.live_bytes, before.live_bytes);
    tell_difference("descriptors_left", now.descriptors, before.descriptors);
    tell_difference("resident_growth", now.resident_bytes, before.resident_bytes);
}

/// Ends the program as skipped, with the reason.
[[noreturn]] void skip(const char* reason);

} // namespace coracle::test
