// SPDX-License-Identifier: MIT
//
// Pages on Windows: VirtualAlloc, which has no say in alignment beyond its own 64 KiB.

#include "page.hpp"

#include "fatal.hpp"

#include <cstdint>
#include <new>

#include <windows.h>

#include <psapi.h>

namespace coracle::detail {
namespace {

/// What another thread may take from under us before it is a shortage.
constexpr int max_attempts = 64;

void* allocate(void* where, std::size_t bytes, DWORD kind) noexcept {
    return ::VirtualAlloc(where, bytes, kind, PAGE_READWRITE);
}

/// An address in a gap that is wide enough. The gap may be gone when it is asked for.
void* aligned_gap(std::size_t bytes, std::size_t alignment) {
    if (bytes + alignment < bytes)
        throw std::bad_alloc();
    void* const wide = allocate(nullptr, bytes + alignment, MEM_RESERVE);
    if (!wide)
        throw std::bad_alloc();
    unmap_pages(wide, bytes + alignment);
    const auto begin = reinterpret_cast<std::uintptr_t>(wide);
    return reinterpret_cast<void*>((begin + alignment - 1) & ~(alignment - 1));
}

} // namespace

void* map_pages(std::size_t bytes, std::size_t alignment) {
    // A part of an allocation cannot be given back here, so what sticks out cannot be cut off.
    for (int attempt = 0; attempt < max_attempts; ++attempt) {
        void* const gap = aligned_gap(bytes, alignment);
        if (void* const pages = allocate(gap, bytes, MEM_RESERVE | MEM_COMMIT))
            return pages;
        if (::GetLastError() != ERROR_INVALID_ADDRESS)
            throw std::bad_alloc();
    }
    throw std::bad_alloc();
}

void unmap_pages(void* pages, std::size_t) noexcept {
    if (!::VirtualFree(pages, 0, MEM_RELEASE))
        fatal("unmap_pages: the range is not mapped");
}

std::size_t resident_bytes() noexcept {
    PROCESS_MEMORY_COUNTERS counters = {};
    if (!::K32GetProcessMemoryInfo(::GetCurrentProcess(), &counters, sizeof counters))
        return 0;
    return counters.WorkingSetSize;
}

} // namespace coracle::detail
