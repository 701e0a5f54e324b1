// SPDX-License-Identifier: MIT
//
// Pages: aligned, zeroed, and an exception when there are none.

#include <coracle/memory/page.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <new>
#include <vector>

using namespace coracle::detail;

namespace {
constexpr std::size_t page_bytes = 4096;
} // namespace

TEST_CASE("page: a mapping is aligned as asked, zeroed and writable") {
    for (std::size_t alignment = page_bytes; alignment <= 4096 * page_bytes; alignment *= 4) {
        // Two at a time, and of an odd number of pages, so that luck does not align them all.
        std::vector<std::byte*> mappings;
        for (int count = 0; count < 2; ++count) {
            auto* pages = static_cast<std::byte*>(map_pages(3 * page_bytes, alignment));
            CHECK(reinterpret_cast<std::uintptr_t>(pages) % alignment == 0);
            CHECK(pages[0] == std::byte{0});
            CHECK(pages[3 * page_bytes - 1] == std::byte{0});
            std::memset(pages, 0x55, 3 * page_bytes);
            mappings.push_back(pages);
        }
        for (std::byte* pages : mappings) {
            unmap_pages(pages, 3 * page_bytes);
        }
    }
}

TEST_CASE("page: memory that is not there is std::bad_alloc") {
    constexpr std::size_t too_much = std::numeric_limits<std::size_t>::max() / 4 + 1;
    CHECK_THROWS_AS(map_pages(too_much, page_bytes), std::bad_alloc);
    CHECK_THROWS_AS(map_pages(page_bytes, too_much), std::bad_alloc);
}

TEST_CASE("page: touching pages makes them resident") {
    constexpr std::size_t bytes = 32 * 1024 * 1024;
    const std::size_t before = resident_bytes();
    if (before == 0) {
        MESSAGE("skipped: this system does not tell the resident size");
        return;
    }
    void* pages = map_pages(bytes, page_bytes);
    std::memset(pages, 1, bytes);
    const std::size_t with_pages = resident_bytes();
    unmap_pages(pages, bytes);
    CHECK(with_pages >= before + bytes / 2);
    CHECK(resident_bytes() <= with_pages - bytes / 2);
}
