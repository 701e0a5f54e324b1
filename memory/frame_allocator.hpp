// SPDX-License-Identifier: MIT
//
// Where coroutine frames come from and go to. A promise calls these from its operator new and its
// sized operator delete. Defining CORACLE_NO_POOL, which a build option does for the library and
// everything that links it, turns the pool off: each frame is then a plain operator new, so that
// tools see its allocation stack.
#pragma once

#include "slab_pool.hpp"

namespace coracle {

/// Memory for a frame of `bytes`, from the pool of the calling thread.
///
/// shape    aligned to at least 16 bytes
/// errors   std::bad_alloc
/// owns     the caller, until deallocate_frame with the same `bytes` from any thread
inline void* allocate_frame(std::size_t bytes) {
#if defined(CORACLE_NO_POOL)
    return detail::allocate_unpooled(bytes);
#else
    if (bytes > largest_block_bytes) [[unlikely]] {
        return detail::allocate_unpooled(bytes);
    }
    const std::size_t size_class = size_class_of(bytes);
    if (void* frame = detail::current_pool->take(size_class)) [[likely]] {
        return frame;
    }
    return detail::allocate_slowly(size_class);
#endif
}

/// Takes back what allocate_frame(bytes) returned, on any thread, also on one that is ending.
inline void deallocate_frame(void* frame, std::size_t bytes) noexcept {
#if defined(CORACLE_NO_POOL)
    detail::deallocate_unpooled(frame, bytes);
#else
    if (bytes > largest_block_bytes) [[unlikely]] {
        return detail::deallocate_unpooled(frame, bytes);
    }
    const std::size_t size_class = size_class_of(bytes);
    auto* block = static_cast<detail::free_block*>(frame);
    detail::slab_chunk* chunk = detail::chunk_of(frame);
    if constexpr (detail::frames_are_checked) {
        detail::check_and_fill(block, chunk, size_class);
    }
    detail::annotate_block_returned(chunk, frame, block_bytes_of(size_class));
    detail::slab_pool* pool = detail::current_pool;
    if (chunk->owner == pool) [[likely]] {
        return pool->put(block, size_class);
    }
    detail::deallocate_elsewhere(block, size_class);
#endif
}

/// Gives back to the system the chunks in which no frame lives: those of the calling thread, and
/// those that ended threads left behind. Returns the bytes given back.
///
/// cost     looks at every free block; not for a hot path
std::size_t trim() noexcept;

} // namespace coracle
