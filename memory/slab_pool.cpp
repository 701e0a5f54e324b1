// SPDX-License-Identifier: MIT
//
// The slow paths: acquiring and releasing pools, mapping and carving chunks, frees by other
// threads, trimming, and the frames that are not pooled. The invariants are at the head of
// slab_pool.hpp. No static here is initialised or destroyed at run time, so frames may come and go
// before main and after it.

#include "slab_pool.hpp"

#include "frame_allocator.hpp"
#include "page.hpp"
#include "thread_end.hpp"

#include <algorithm>
#include <new>

namespace coracle::detail {

constinit slab_pool no_pool;
constinit thread_local slab_pool* current_pool = &no_pool;

namespace {

/// How much is carved at once: a page, since a page fault costs more than carving its blocks.
/// More would make memory resident that may never be used.
constexpr std::size_t carve_bytes = 4096;

/// How far apart blocks lie: large ones an odd number of cache lines, so that their beginnings,
/// which are what is touched most, do not share the same few sets of the cache.
constexpr std::size_t stride_of(std::size_t size_class) noexcept {
    const std::size_t bytes = block_bytes_of(size_class);
    return bytes < 1024 ? bytes : bytes | smallest_block_bytes;
}

constexpr std::size_t blocks_per_chunk(std::size_t size_class) noexcept {
    return (chunk_bytes - sizeof(slab_chunk)) / stride_of(size_class);
}

static_assert(blocks_per_chunk(size_class_count - 1) > 1);

/// A number that any thread raises and any thread reads.
using shared_counter = std::atomic<std::uint64_t>;

void add(shared_counter& counter, std::uint64_t amount) noexcept {
    counter.fetch_add(amount, std::memory_order_relaxed);
}

std::uint64_t read(const shared_counter& counter) noexcept {
    return counter.load(std::memory_order_relaxed);
}

/// What no pool counts: large frames, frames while the pool is turned off, and what threads free
/// that hold no pool.
struct unpooled_counters {
    std::array<shared_counter, size_class_count> allocated{};
    std::array<shared_counter, size_class_count> freed{};
    shared_counter large_frames_allocated{0};
    shared_counter large_frames_freed{0};
    shared_counter large_bytes_allocated{0};
    shared_counter large_bytes_freed{0};
};

constinit unpooled_counters unpooled;
constinit shared_counter slab_bytes{0};
constinit std::atomic<slab_pool*> all_pools{nullptr};
constinit thread_local bool thread_is_ending = false;

/// Where a pool is kept: a multiple of every page size, and only its first page is ever touched.
constexpr std::size_t pool_bytes = 64 * 1024;
static_assert(sizeof(slab_pool) <= pool_bytes);

slab_pool* make_pool() {
    // A pool lives as long as the process, so its pages are never given back.
    auto* pool = ::new (map_pages(pool_bytes, pool_bytes)) slab_pool;
    pool->try_acquire();
    slab_pool* first = all_pools.load(std::memory_order_relaxed);
    do {
        pool->next_pool = first;
    } while (!all_pools.compare_exchange_weak(first, pool, std::memory_order_release,
                                              std::memory_order_relaxed));
    return pool;
}

/// A pool that an ended thread left, or else a new one.
slab_pool* hold_any_pool() {
    slab_pool* pool = all_pools.load(std::memory_order_acquire);
    for (; pool != nullptr; pool = pool->next_pool) {
        if (pool->try_acquire()) {
            return pool;
        }
    }
    return make_pool();
}

/// The last that an ending thread does with its pool, which is passed in because the thread's
/// thread_locals may be destroyed by then.
void release_at_thread_end(void* held) noexcept {
    auto* pool = static_cast<slab_pool*>(held);
    current_pool = &no_pool;
    thread_is_ending = true;
    pool->trim();
    pool->release();
}

/// Gives the thread a pool until it ends.
void hold_until_thread_ends() {
    slab_pool* pool = hold_any_pool();
    try {
        at_thread_end(release_at_thread_end, pool);
    } catch (...) {
        pool->release();
        throw;
    }
    current_pool = pool;
}

void* allocate_from(slab_pool* pool, std::size_t size_class) {
    pool->refill(size_class);
    return pool->take(size_class);
}

/// Frames for a destructor of a thread_local, or of a static, that runs after the thread has
/// released its pool: a pool is held for this one call. Its free will be a remote one.
void* allocate_while_ending(std::size_t size_class) {
    struct held_pool {
        slab_pool* pool = hold_any_pool();

        ~held_pool() { pool->release(); }
    } held;

    return allocate_from(held.pool, size_class);
}

} // namespace

void* allocate_slowly(std::size_t size_class) {
    if (current_pool == &no_pool) {
        if (thread_is_ending) {
            return allocate_while_ending(size_class);
        }
        hold_until_thread_ends();
    }
    return allocate_from(current_pool, size_class);
}

void deallocate_elsewhere(free_block* block, std::size_t size_class) noexcept {
    if (current_pool == &no_pool) {
        add(unpooled.freed[size_class], 1);
    } else {
        current_pool->count_freed(size_class);
    }
    chunk_of(block)->owner->free_remote(block);
}

void* allocate_unpooled(std::size_t bytes) {
    void* frame = ::operator new(bytes);
    if (bytes > largest_block_bytes) {
        add(unpooled.large_frames_allocated, 1);
        add(unpooled.large_bytes_allocated, bytes);
    } else {
        add(unpooled.allocated[size_class_of(bytes)], 1);
    }
    return frame;
}

void deallocate_unpooled(void* frame, std::size_t bytes) noexcept {
    if (bytes > largest_block_bytes) {
        add(unpooled.large_frames_freed, 1);
        add(unpooled.large_bytes_freed, bytes);
    } else {
        add(unpooled.freed[size_class_of(bytes)], 1);
    }
    ::operator delete(frame);
}

bool slab_pool::try_acquire() noexcept {
    return !held_.load(std::memory_order_relaxed) &&
           !held_.exchange(true, std::memory_order_acquire);
}

void slab_pool::release() noexcept {
    held_.store(false, std::memory_order_release);
}

void slab_pool::free_remote(free_block* block) noexcept {
    free_block* first = remote_frees_.load(std::memory_order_relaxed);
    do {
        link(block, first);
    } while (!remote_frees_.compare_exchange_weak(first, block, std::memory_order_release,
                                                  std::memory_order_relaxed));
}

void slab_pool::drain_remote_frees() noexcept {
    if (remote_frees_.load(std::memory_order_relaxed) == nullptr) {
        return;
    }
    free_block* block = remote_frees_.exchange(nullptr, std::memory_order_acquire);
    while (block != nullptr) {
        free_block* next = next_of(block);
        bin& into = bins_[chunk_of(block)->size_class];
        link(block, into.free_list);
        into.free_list = block;
        block = next;
    }
}

void slab_pool::refill(std::size_t size_class) {
    bin& into = bins_[size_class];
    if (into.free_list == nullptr) {
        drain_remote_frees();
    }
    if (into.free_list == nullptr) {
        if (into.carving == nullptr) {
            into.carving = map_chunk(size_class);
        }
        carve(into);
    }
}

slab_chunk* slab_pool::map_chunk(std::size_t size_class) {
    void* pages = map_pages(chunk_bytes, chunk_bytes);
    auto* chunk = ::new (pages) slab_chunk{this, size_class, chunks_, 0, 0};
    annotate_chunk_mapped(chunk, chunk_bytes, sizeof(slab_chunk));
    add(slab_bytes, chunk_bytes);
    chunks_ = chunk;
    return chunk;
}

void slab_pool::carve(bin& into) noexcept {
    slab_chunk* chunk = into.carving;
    const std::size_t stride = stride_of(chunk->size_class);
    const std::size_t all_blocks = blocks_per_chunk(chunk->size_class);
    const std::size_t begin = chunk->carved_blocks;
    const std::size_t end =
        std::min(all_blocks, begin + std::max<std::size_t>(1, carve_bytes / stride));
    auto* blocks = reinterpret_cast<std::byte*>(chunk + 1);
    // Backwards, so that the list hands them out in the order of their addresses.
    for (std::size_t index = end; index-- > begin;) {
        auto* block = reinterpret_cast<free_block*>(blocks + index * stride);
        link(block, into.free_list);
        into.free_list = block;
    }
    chunk->carved_blocks = end;
    if (end == all_blocks) {
        into.carving = nullptr;
    }
}

/// Whether every block that was ever carved is in a free list; trim has counted them.
static bool is_empty(const slab_chunk* chunk) noexcept {
    return chunk->free_blocks == chunk->carved_blocks;
}

void slab_pool::drop_blocks_of_empty_chunks(bin& from) noexcept {
    if (from.carving != nullptr && is_empty(from.carving)) {
        from.carving = nullptr;
    }
    free_block* block = from.free_list;
    free_block* last_kept = nullptr;
    from.free_list = nullptr;
    for (; block != nullptr; block = next_of(block)) {
        if (is_empty(chunk_of(block))) {
            continue;
        }
        if (last_kept == nullptr) {
            from.free_list = block;
        } else {
            link(last_kept, block);
        }
        last_kept = block;
    }
    if (last_kept != nullptr) {
        link(last_kept, nullptr);
    }
}

std::size_t slab_pool::trim() noexcept {
    drain_remote_frees();
    for (slab_chunk* chunk = chunks_; chunk != nullptr; chunk = chunk->next) {
        chunk->free_blocks = 0;
    }
    for (bin& each : bins_) {
        for (free_block* block = each.free_list; block != nullptr; block = next_of(block)) {
            ++chunk_of(block)->free_blocks;
        }
    }
    for (bin& each : bins_) {
        drop_blocks_of_empty_chunks(each);
    }
    std::size_t given_back = 0;
    for (slab_chunk** place = &chunks_; *place != nullptr;) {
        slab_chunk* chunk = *place;
        if (!is_empty(chunk)) {
            place = &chunk->next;
            continue;
        }
        *place = chunk->next;
        annotate_chunk_unmapped(chunk, chunk_bytes);
        unmap_pages(chunk, chunk_bytes);
        given_back += chunk_bytes;
    }
    slab_bytes.fetch_sub(given_back, std::memory_order_relaxed);
    return given_back;
}

/// Allocations less frees. The two were not read at the same moment, so a frame that came and went
/// in between may have been seen only to go.
static std::size_t live(std::uint64_t allocated, std::uint64_t freed) noexcept {
    return allocated > freed ? static_cast<std::size_t>(allocated - freed) : 0;
}

live_frame_counts count_live_frames() noexcept {
    const slab_pool* first = all_pools.load(std::memory_order_acquire);
    live_frame_counts counts;
    for (std::size_t size_class = 0; size_class < size_class_count; ++size_class) {
        std::uint64_t freed = read(unpooled.freed[size_class]);
        for (const slab_pool* pool = first; pool != nullptr; pool = pool->next_pool) {
            freed += pool->freed(size_class);
        }
        std::uint64_t allocated = read(unpooled.allocated[size_class]);
        for (const slab_pool* pool = first; pool != nullptr; pool = pool->next_pool) {
            allocated += pool->allocated(size_class);
        }
        counts.frames[size_class] = live(allocated, freed);
    }
    const std::uint64_t frames_freed = read(unpooled.large_frames_freed);
    counts.large_frames = live(read(unpooled.large_frames_allocated), frames_freed);
    const std::uint64_t bytes_freed = read(unpooled.large_bytes_freed);
    counts.large_bytes = live(read(unpooled.large_bytes_allocated), bytes_freed);
    return counts;
}

std::size_t mapped_slab_bytes() noexcept {
    return static_cast<std::size_t>(read(slab_bytes));
}

} // namespace coracle::detail

namespace coracle {

std::size_t trim() noexcept {
    using namespace detail;
    std::size_t given_back = 0;
    if (current_pool != &no_pool) {
        given_back += current_pool->trim();
    }
    slab_pool* pool = all_pools.load(std::memory_order_acquire);
    for (; pool != nullptr; pool = pool->next_pool) {
        if (pool->try_acquire()) {
            given_back += pool->trim();
            pool->release();
        }
    }
    return given_back;
}

} // namespace coracle
