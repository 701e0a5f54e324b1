// SPDX-License-Identifier: MIT
//
// What the pools tell the sanitizers. A pool that keeps quiet blinds them: a block that was freed
// looks like any other mapped memory. Each function here is empty unless its tool is there.
//
// - AddressSanitizer: a free block is poisoned from its first byte to its last. The pool reads and
//   writes the link inside it through functions that are not instrumented.
// - LeakSanitizer: a chunk is a root, or the heap memory of a suspended frame would look leaked.
// - MemorySanitizer: a block that was handed out or taken back holds nothing defined.
// - Valgrind: each chunk is a memory pool. A client request costs some nanoseconds even without
//   valgrind, so this is for builds that define CORACLE_VALGRIND.
//
// A program and this library are built with the same sanitizer, or with none.
#pragma once

#include <cstddef>

// GCC says it by macros, Clang by features.
#if defined(__SANITIZE_ADDRESS__)
#define CORACLE_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define CORACLE_THREAD_SANITIZER 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(CORACLE_ADDRESS_SANITIZER)
#define CORACLE_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer) && !defined(CORACLE_THREAD_SANITIZER)
#define CORACLE_THREAD_SANITIZER 1
#endif
#if __has_feature(memory_sanitizer)
#define CORACLE_MEMORY_SANITIZER 1
#endif
#endif

#if defined(CORACLE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define CORACLE_NOT_POISONED [[gnu::no_sanitize_address]]
#else
#define CORACLE_NOT_POISONED
#endif

#if defined(CORACLE_MEMORY_SANITIZER)
#include <sanitizer/msan_interface.h>
#endif

#if defined(CORACLE_VALGRIND) && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define CORACLE_VALGRIND_REQUESTS 1
#endif
#endif

namespace coracle::detail {

/// Whether a frame that is freed is checked and filled: in debug builds, and wherever
/// AddressSanitizer looks on.
#if !defined(NDEBUG) || defined(CORACLE_ADDRESS_SANITIZER)
inline constexpr bool frames_are_checked = true;
#else
inline constexpr bool frames_are_checked = false;
#endif

/// The kernel wrote these bytes, which no sanitizer could see.
inline void mark_written([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(CORACLE_MEMORY_SANITIZER)
    __msan_unpoison(data, bytes);
#endif
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_MAKE_MEM_DEFINED(data, bytes);
#endif
}

/// A chunk was mapped; what follows its header is not handed out yet.
inline void annotate_chunk_mapped([[maybe_unused]] void* chunk, [[maybe_unused]] std::size_t bytes,
                                  [[maybe_unused]] std::size_t header_bytes) noexcept {
#if defined(CORACLE_ADDRESS_SANITIZER)
    __lsan_register_root_region(chunk, bytes);
    __asan_poison_memory_region(static_cast<std::byte*>(chunk) + header_bytes,
                                bytes - header_bytes);
#endif
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_CREATE_MEMPOOL(chunk, 0, 0);
    VALGRIND_MAKE_MEM_NOACCESS(static_cast<std::byte*>(chunk) + header_bytes, bytes - header_bytes);
#endif
}

/// A chunk goes back to the system, and its addresses may return as any other memory.
inline void annotate_chunk_unmapped([[maybe_unused]] void* chunk,
                                    [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(CORACLE_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(chunk, bytes);
    __lsan_unregister_root_region(chunk, bytes);
#endif
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_DESTROY_MEMPOOL(chunk);
#endif
}

/// A block of `chunk` is handed out. Its contents are undefined.
inline void annotate_block_taken([[maybe_unused]] void* chunk, [[maybe_unused]] void* block,
                                 [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(CORACLE_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(block, bytes);
#endif
#if defined(CORACLE_MEMORY_SANITIZER)
    __msan_allocated_memory(block, bytes);
#endif
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_MEMPOOL_ALLOC(chunk, block, bytes);
#endif
}

/// A block comes back. From here on only the pool touches it.
inline void annotate_block_returned([[maybe_unused]] void* chunk, [[maybe_unused]] void* block,
                                    [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(CORACLE_ADDRESS_SANITIZER)
    __asan_poison_memory_region(block, bytes);
#endif
#if defined(CORACLE_MEMORY_SANITIZER)
    __msan_poison(block, bytes);
#endif
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_MEMPOOL_FREE(chunk, block);
#endif
}

/// The pool is about to use the first `bytes` of a free block for itself.
inline void annotate_link_open([[maybe_unused]] void* block,
                               [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(CORACLE_MEMORY_SANITIZER)
    __msan_unpoison(block, bytes);
#endif
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_MAKE_MEM_DEFINED(block, bytes);
#endif
}

/// The pool has used the first `bytes` of a free block for itself.
inline void annotate_link_closed([[maybe_unused]] void* block,
                                 [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(CORACLE_VALGRIND_REQUESTS)
    VALGRIND_MAKE_MEM_NOACCESS(block, bytes);
#endif
}

} // namespace coracle::detail
