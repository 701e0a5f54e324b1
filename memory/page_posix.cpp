// SPDX-License-Identifier: MIT
//
// Pages on a POSIX system: mmap; and the resident size from Mach or /proc (Linux, and a BSD that
// mounts it; 0 elsewhere).

#include "page.hpp"

#include "fatal.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach/mach.h>
#endif

namespace coracle::detail {
namespace {

void* map_anywhere(std::size_t bytes) {
    void* pages =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        throw std::bad_alloc();
    }
    return pages;
}

/// How far `pages` lies past a multiple of `alignment`.
std::size_t misalignment_bytes(void* pages, std::size_t alignment) noexcept {
    return reinterpret_cast<std::uintptr_t>(pages) & (alignment - 1);
}

} // namespace

void* map_pages(std::size_t bytes, std::size_t alignment) {
    // The kernel places mappings next to each other, so after the first one of a size the next
    // is nearly always aligned as it comes.
    void* pages = map_anywhere(bytes);
    if (misalignment_bytes(pages, alignment) == 0) {
        return pages;
    }
    unmap_pages(pages, bytes);
    if (bytes + alignment < bytes) {
        throw std::bad_alloc();
    }
    auto* wide = static_cast<std::byte*>(map_anywhere(bytes + alignment));
    const std::size_t before = (alignment - misalignment_bytes(wide, alignment)) % alignment;
    const std::size_t after = alignment - before;
    if (before != 0) {
        unmap_pages(wide, before);
    }
    unmap_pages(wide + before + bytes, after);
    return wide + before;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
    if (::munmap(pages, bytes) != 0) {
        // Either the range was never mapped, or cutting it out would take one mapping too many
        // for the kernel. The first is a fault in this library; the second keeps the pages, and
        // dropping what they hold is all that can be done about it.
        if (::madvise(pages, bytes, MADV_DONTNEED) != 0) {
            fatal("unmap_pages: the range is not mapped");
        }
    }
}

#ifdef __APPLE__

std::size_t resident_bytes() noexcept {
    mach_task_basic_info information{};
    mach_msg_type_number_t size = MACH_TASK_BASIC_INFO_COUNT;
    const kern_return_t answer = ::task_info(mach_task_self(), MACH_TASK_BASIC_INFO,
                                             reinterpret_cast<task_info_t>(&information), &size);
    return answer == KERN_SUCCESS ? static_cast<std::size_t>(information.resident_size) : 0;
}

#else

std::size_t resident_bytes() noexcept {
    const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    std::array<char, 128> text{};
    const ssize_t length = ::read(file, text.data(), text.size() - 1);
    ::close(file);
    if (length <= 0) {
        return 0;
    }
    // The line reads "size resident shared ...", in pages.
    char* cursor = text.data();
    std::strtoull(cursor, &cursor, 10);
    const auto pages = static_cast<std::size_t>(std::strtoull(cursor, &cursor, 10));
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

#endif

} // namespace coracle::detail
