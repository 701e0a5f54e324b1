// SPDX-License-Identifier: MIT
//
// Counts by standing in for malloc and its kin, which pass the calls on to the C library; under a
// sanitizer, which stands there itself, by its hooks. Atomic, since a kernel's helper or a library
// may have a thread of its own.
#include "figures.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <malloc.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

std::atomic<std::size_t> allocations = 0;
std::atomic<std::size_t> live_blocks = 0;
std::atomic<std::size_t> live_bytes = 0;

void count_taken(std::size_t bytes) {
    ++allocations;
    ++live_blocks;
    live_bytes += bytes;
}

void count_given_back(std::size_t bytes) {
    --live_blocks;
    live_bytes -= bytes;
}

} // namespace

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CORACLE_COUNT_BY_HOOKS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CORACLE_COUNT_BY_HOOKS
#endif

#ifdef CORACLE_COUNT_BY_HOOKS

#include <sanitizer/allocator_interface.h>

extern "C" {
void __sanitizer_malloc_hook(const volatile void*, std::size_t bytes) {
    count_taken(bytes);
}

void __sanitizer_free_hook(const volatile void* block) {
    if (block)
        count_given_back(__sanitizer_get_allocated_size(block));
}
}

#else

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* block);
}

namespace {

void* counted(void* block) {
    if (block)
        count_taken(::malloc_usable_size(block));
    return block;
}

} // namespace

extern "C" {
void* malloc(std::size_t bytes) {
    return counted(__libc_malloc(bytes));
}

void* calloc(std::size_t count, std::size_t bytes) {
    return counted(__libc_calloc(count, bytes));
}

void* realloc(void* block, std::size_t bytes) {
    if (block)
        count_given_back(::malloc_usable_size(block));
    return counted(__libc_realloc(block, bytes));
}

void* memalign(std::size_t alignment, std::size_t bytes) {
    return counted(__libc_memalign(alignment, bytes));
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    return counted(__libc_memalign(alignment, bytes));
}

int posix_memalign(void** place, std::size_t alignment, std::size_t bytes) {
    *place = counted(__libc_memalign(alignment, bytes));
    return *place ? 0 : ENOMEM;
}

void free(void* block) {
    if (block)
        count_given_back(::malloc_usable_size(block));
    __libc_free(block);
}
}

#endif

namespace coracle::test {

namespace {

/// Calls `seen(name)` for each descriptor, with the one that looks among them.
template <class Function>
void for_each_descriptor(Function seen) {
    DIR* const folder = ::opendir("/proc/self/fd");
    if (!folder)
        return;
    while (const dirent* const entry = ::readdir(folder)) {
        if (entry->d_name[0] != '.')
            seen(entry->d_name);
    }
    ::closedir(folder);
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for_each_descriptor([&count](const char*) { ++count; });
    return count - 1; // without the one that looked
}

/// How many of these lines tell of a registration: "tfd:" of epoll, "  op=" of a ring's poll list.
std::size_t registrations_in(std::FILE* information) {
    std::size_t count = 0;
    char line[512];
    while (std::fgets(line, sizeof line, information)) {
        const std::string_view text = line;
        count += text.starts_with("tfd:") || text.starts_with("  op=");
    }
    return count;
}

} // namespace

figures take_figures() {
    figures taken = {};
    taken.allocations = allocations;
    taken.live_blocks = live_blocks;
    taken.live_bytes = live_bytes;
    // These allocate and give back, so they come after the counters have been read.
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
        std::size_t mapped_pages = 0;
        std::size_t resident_pages = 0;
        if (std::fscanf(file, "%zu %zu", &mapped_pages, &resident_pages) == 2) {
            const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
            taken.mapped_bytes = mapped_pages * page_bytes;
            taken.resident_bytes = resident_pages * page_bytes;
        }
        std::fclose(file);
    }
    taken.descriptors = open_descriptors();
    return taken;
}

std::size_t kernel_registrations() {
    std::size_t count = 0;
    for_each_descriptor([&count](const char* name) {
        const std::string path = "/proc/self/fdinfo/" + std::string(name);
        if (std::FILE* const information = std::fopen(path.c_str(), "r")) {
            count += registrations_in(information);
            std::fclose(information);
        }
    });
    return count;
}

void tell(const char* name, long long value) {
    std::printf("%s=%lld\n", name, value);
    std::fflush(stdout);
}

void skip(const char* reason) {
    std::printf("skipped, because %s\n", reason);
    std::fflush(stdout);
    std::_Exit(77);
}

} // namespace coracle::test
