// SPDX-License-Identifier: MIT
//
// Memory from the system in whole pages: the only place that maps or unmaps. Each platform
// defines the three functions below in its own page_*.cpp. All of them may be called from any
// thread, and at any time in the life of the program.
#pragma once

#include <cstddef>

namespace coracle::detail {

/// Maps `bytes` of zeroed, private, readable and writable memory whose address is a multiple of
/// `alignment`. Pages that are never touched stay without memory.
///
/// shape    bytes: a multiple of the page size; alignment: a power of two of at least one page
/// errors   std::bad_alloc, and then nothing is left mapped
void* map_pages(std::size_t bytes, std::size_t alignment);

/// Gives back what map_pages returned, with the same `bytes`.
void unmap_pages(void* pages, std::size_t bytes) noexcept;

/// The memory that this process has resident, or 0 where the system does not tell.
std::size_t resident_bytes() noexcept;

} // namespace coracle::detail
