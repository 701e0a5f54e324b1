// SPDX-License-Identifier: MIT
//
// The pool that frames come from: one for each thread, without a lock.
//
// A *chunk* is 256 KiB of pages aligned to its own size: a header, then blocks of one size class.
// A *pool* owns chunks and keeps one LIFO list of free blocks for each class. Invariants:
//
// - Rounding an address down to the chunk size finds its chunk, and with it the owning pool and
//   the class. Neither changes while the chunk is mapped, so any thread may read them.
// - A block is in exactly one place: handed out, in its pool's free list for its class, in its
//   pool's return list, or not carved yet.
// - Only the thread that holds a pool touches its free lists, chunks and counters. Every other
//   thread may do two things: push a block onto the return list, and read the counters.
// - A block freed by another thread goes onto the return list of the chunk's pool, a stack that
//   many threads push to and only the holder takes from, always the whole, so there is no ABA. The
//   holder takes it when a free list is empty, before it maps more memory.
// - Pools are never destroyed. A thread that ends releases its pool, and the next thread that needs
//   one acquires it with all its chunks. A late free therefore always finds a valid pool, and the
//   block is reused by the thread that acquires it.
// - `current_pool` is never null. A thread that holds no pool (not yet, or no longer) points to
//   `no_pool`, whose lists are empty and which owns no chunk: both fast paths fall through to the
//   slow ones without a check of its own.
// - Counters only grow, and each thread counts what it did itself: a frame that one thread
//   allocates and another frees is counted in two pools, and the sum over the pools is right.
// - Debug and release agree on the layout, and every allocation clears the mark of a double free,
//   so a debug program may use a release library.
//
// The fast path is in this file; what it falls through to is in slab_pool.cpp.
#pragma once

#include "fatal.hpp"
#include "sanitize.hpp"
#include "size_class.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace coracle::detail {

class slab_pool;

/// What a free block holds. It overlays whatever the frame held there, hence may_alias.
struct [[gnu::may_alias]] free_block {
    free_block* next;
    /// Says that the block is free, in checked builds. Volatile, because the compiler may otherwise
    /// drop the store that clears it: to the compiler a new frame's memory holds nothing.
    volatile std::uintptr_t mark;
};

/// The head of a chunk.
struct alignas(smallest_block_bytes) slab_chunk {
    slab_pool* owner;
    std::size_t size_class;
    slab_chunk* next;          // in the owner's list of all its chunks
    std::size_t carved_blocks; // how many blocks were ever linked into a list
    std::size_t free_blocks;   // trim's scratch
};

inline constexpr std::size_t chunk_bytes = 256 * 1024;

/// The chunk that a pooled block lies in.
inline slab_chunk* chunk_of(void* block) noexcept {
    const auto offset = reinterpret_cast<std::uintptr_t>(block) & (chunk_bytes - 1);
    return reinterpret_cast<slab_chunk*>(static_cast<std::byte*>(block) - offset);
}

/// A number that one thread raises and any thread reads. Raising it is a plain load and store.
class owned_counter {
public:
    void add(std::uint64_t amount) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }

    std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// The pool of one thread. The functions of the fast path are below the class.
class slab_pool {
public:
    constexpr slab_pool() noexcept = default;
    slab_pool(const slab_pool&) = delete;
    slab_pool& operator=(const slab_pool&) = delete;

    /// Takes the first free block of `size_class`; null if there is none.
    void* take(std::size_t size_class) noexcept;

    /// Puts back a block of one of this pool's own chunks.
    void put(free_block* block, std::size_t size_class) noexcept;

    /// Takes back a block from a thread that does not hold this pool.
    void free_remote(free_block* block) noexcept;

    /// Counts a frame that the holder frees into another pool.
    void count_freed(std::size_t size_class) noexcept { bins_[size_class].freed.add(1); }

    /// Makes sure that take(size_class) finds a block.
    void refill(std::size_t size_class);

    /// Unmaps every chunk that has no block handed out. Returns the bytes given back.
    std::size_t trim() noexcept;

    std::uint64_t allocated(std::size_t size_class) const noexcept {
        return bins_[size_class].allocated.read();
    }

    std::uint64_t freed(std::size_t size_class) const noexcept {
        return bins_[size_class].freed.read();
    }

    /// Becomes the holder, unless another thread is. What earlier holders did is then visible.
    bool try_acquire() noexcept;

    /// Lets another thread acquire this pool.
    void release() noexcept;

    slab_pool* next_pool = nullptr; // in the list of all pools; fixed once the pool is in it

private:
    struct bin {
        free_block* free_list = nullptr;
        owned_counter allocated;
        owned_counter freed;
        slab_chunk* carving = nullptr; // the chunk that still has blocks in no list, or null
    };

    void drain_remote_frees() noexcept;
    void carve(bin& into) noexcept;
    slab_chunk* map_chunk(std::size_t size_class);
    void drop_blocks_of_empty_chunks(bin& from) noexcept;

    std::array<bin, size_class_count> bins_{};
    slab_chunk* chunks_ = nullptr;
    // Other threads write these, so they have a cache line of their own.
    alignas(64) std::atomic<free_block*> remote_frees_{nullptr};
    std::atomic<bool> held_{false};
};

/// What a thread that holds no pool points to.
extern constinit slab_pool no_pool;

// Initial-exec, because a call to find the variable would cost more than the rest of the fast path
// when the library is shared. It is 8 bytes, which fit into the static TLS left for dlopen.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local slab_pool* current_pool;

void* allocate_slowly(std::size_t size_class);
void deallocate_elsewhere(free_block* block, std::size_t size_class) noexcept;
void* allocate_unpooled(std::size_t bytes);
void deallocate_unpooled(void* frame, std::size_t bytes) noexcept;

/// What all threads together allocated and have not freed yet.
struct live_frame_counts {
    std::array<std::size_t, size_class_count> frames{};
    std::size_t large_frames = 0;
    std::size_t large_bytes = 0;
};

live_frame_counts count_live_frames() noexcept;
std::size_t mapped_slab_bytes() noexcept;

// ---- the fast path ----

/// What `mark` holds while the block is free. The address makes it differ for every block.
inline std::uintptr_t free_mark(const free_block* block) noexcept {
    return reinterpret_cast<std::uintptr_t>(block) ^
           static_cast<std::uintptr_t>(0x5bd1e995a3c59ac3);
}

CORACLE_NOT_POISONED inline free_block* next_of(free_block* block) noexcept {
    annotate_link_open(block, sizeof(free_block));
    free_block* next = block->next;
    annotate_link_closed(block, sizeof(free_block));
    return next;
}

CORACLE_NOT_POISONED inline void link(free_block* block, free_block* next) noexcept {
    annotate_link_open(block, sizeof(free_block));
    block->next = next;
    annotate_link_closed(block, sizeof(free_block));
}

/// Takes the block off the list that it heads and returns the rest of the list.
CORACLE_NOT_POISONED inline free_block* unlink(free_block* block) noexcept {
    annotate_link_open(block, sizeof(free_block));
    block->mark = 0;
    return block->next;
}

/// Stops the program if the block is free already, else marks it as free.
CORACLE_NOT_POISONED inline void mark_free(free_block* block) noexcept {
    annotate_link_open(block, sizeof(free_block));
    if (block->mark == free_mark(block)) {
        fatal("a frame is freed twice");
    }
    block->mark = free_mark(block);
}

/// Checks a frame that is freed, and fills it with a pattern that no program mistakes for data.
inline void check_and_fill(free_block* block, const slab_chunk* chunk,
                           std::size_t size_class) noexcept {
    if (chunk->size_class != size_class) {
        fatal("a frame is freed with a size other than it was allocated with");
    }
    mark_free(block);
    std::memset(static_cast<void*>(block + 1), 0xdf,
                block_bytes_of(size_class) - sizeof(free_block));
}

inline void* slab_pool::take(std::size_t size_class) noexcept {
    bin& from = bins_[size_class];
    free_block* block = from.free_list;
    if (block == nullptr) [[unlikely]] {
        return nullptr;
    }
    from.free_list = unlink(block);
    from.allocated.add(1);
    annotate_block_taken(chunk_of(block), block, block_bytes_of(size_class));
    return block;
}

inline void slab_pool::put(free_block* block, std::size_t size_class) noexcept {
    bin& into = bins_[size_class];
    link(block, into.free_list);
    into.free_list = block;
    into.freed.add(1);
}

} // namespace coracle::detail
