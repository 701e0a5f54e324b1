// SPDX-License-Identifier: MIT
//
// Memory that runs out as planned: every operator new of the program, and the frames.
//
// A frame is taken from a list of the thread's pool by code that the compiler has put everywhere;
// only where the list is empty a function is called. So while frames are watched a pool that is
// always empty stands in for the thread's own, and that function, which the linker leads here,
// takes from the own one.
//
// Valgrind puts operators of its own in the place of these, unless it is told
// --soname-synonyms=somalloc=nouserintercepts, as the preset does.

#include "fault.hpp"

#include <coracle/memory/slab_pool.hpp>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

using namespace coracle::detail;

extern "C" {
void* real_allocate_slowly(std::size_t) asm("__real__ZN7coracle6detail15allocate_slowlyEm");
void* wrapped_allocate_slowly(std::size_t) asm("__wrap__ZN7coracle6detail15allocate_slowlyEm");
void real_deallocate_elsewhere(free_block*, std::size_t) noexcept
    asm("__real__ZN7coracle6detail20deallocate_elsewhereEPNS0_10free_blockEm");
void wrapped_deallocate_elsewhere(free_block*, std::size_t) noexcept
    asm("__wrap__ZN7coracle6detail20deallocate_elsewhereEPNS0_10free_blockEm");
}

namespace {

constinit thread_local slab_pool empty_pool;
constinit thread_local slab_pool* own_pool = nullptr; // while frames are watched

/// Has the thread's own pool back for a moment.
class own_pool_in_place {
public:
    own_pool_in_place() noexcept { current_pool = own_pool; }

    ~own_pool_in_place() {
        own_pool = current_pool; // which the first frame of a thread brings
        current_pool = &empty_pool;
    }

    own_pool_in_place(const own_pool_in_place&) = delete;
    own_pool_in_place& operator=(const own_pool_in_place&) = delete;
};

bool memory_has_run_out() noexcept {
    return coracle::test::planned_error("allocate") != 0;
}

} // namespace

void coracle::test::watch_frames() noexcept {
    own_pool = std::exchange(current_pool, &empty_pool);
}

void coracle::test::unwatch_frames() noexcept {
    if (own_pool)
        current_pool = std::exchange(own_pool, nullptr);
}

void* wrapped_allocate_slowly(std::size_t size_class) {
    if (current_pool != &empty_pool)
        return real_allocate_slowly(size_class);
    if (memory_has_run_out())
        throw std::bad_alloc();
    const own_pool_in_place taking;
    void* const frame = current_pool->take(size_class);
    return frame ? frame : real_allocate_slowly(size_class);
}

void wrapped_deallocate_elsewhere(free_block* block, std::size_t size_class) noexcept {
    if (current_pool != &empty_pool)
        return real_deallocate_elsewhere(block, size_class);
    const own_pool_in_place giving;
    if (chunk_of(block)->owner == current_pool)
        current_pool->put(block, size_class);
    else
        real_deallocate_elsewhere(block, size_class);
}

#ifdef CORACLE_TEST_WRAPS_NEW

// The thread sanitizer's own cannot be replaced, but be stepped in front of; not before what the
// standard library allocates within itself.

extern "C" void* real_new(std::size_t) asm("__real__Znwm");
extern "C" void* wrapped_new(std::size_t) asm("__wrap__Znwm");

void* wrapped_new(std::size_t bytes) {
    if (memory_has_run_out())
        throw std::bad_alloc();
    return real_new(bytes);
}

#else

namespace {

void* allocate(std::size_t bytes) noexcept {
    return memory_has_run_out() ? nullptr : std::malloc(bytes > 0 ? bytes : 1);
}

void* allocate_or_throw(std::size_t bytes) {
    void* const block = allocate(bytes);
    if (!block)
        throw std::bad_alloc();
    return block;
}

} // namespace

// All that are not aligned, since a sanitizer's own would not fit together with ours.

void* operator new(std::size_t bytes) {
    return allocate_or_throw(bytes);
}

void* operator new[](std::size_t bytes) {
    return allocate_or_throw(bytes);
}

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return allocate(bytes);
}

void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
    return allocate(bytes);
}

void operator delete(void* block) noexcept {
    std::free(block);
}

void operator delete[](void* block) noexcept {
    std::free(block);
}

void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}

void operator delete[](void* block, std::size_t) noexcept {
    std::free(block);
}

#endif
