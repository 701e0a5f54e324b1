// SPDX-License-Identifier: MIT
//
// The free buffers are a list through the slots, the last one returned first, since that one is
// most likely still in the cache.

#include "buffer_pool.hpp"

#include "../memory/fatal.hpp"
#include "../memory/page.hpp"
#include "../memory/sanitize.hpp"
#include "../runtime/diagnostics/describe.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace coracle {

namespace {

constexpr std::size_t cache_line_bytes = 64;
constexpr std::size_t region_alignment = 64 * 1024; // a multiple of every page size in use

constexpr std::size_t rounded_up(std::size_t bytes, std::size_t multiple) noexcept {
    return (bytes + multiple - 1) / multiple * multiple;
}

/// The size of a buffer, once it is clear that so many of them can be counted and mapped.
std::size_t checked_buffer_bytes(std::size_t buffers, std::size_t buffer_bytes) {
    constexpr std::size_t max_bytes = ~std::size_t{0} / 4;
    constexpr std::size_t max_buffers = ~std::uint32_t{0};
    if (buffers == 0 || buffer_bytes == 0)
        throw std::invalid_argument("a buffer_pool has at least one buffer of at least one byte");
    if (buffers >= max_buffers || buffer_bytes > max_bytes / buffers)
        throw std::invalid_argument(
            fmt::format("a buffer_pool of {} times {} bytes is too large", buffers, buffer_bytes));
    return rounded_up(buffer_bytes, cache_line_bytes);
}

} // namespace

buffer_pool::mapping::mapping(std::size_t bytes)
    : bytes_(rounded_up(bytes, region_alignment)),
      data_(static_cast<std::byte*>(detail::map_pages(bytes_, region_alignment))) {
    detail::annotate_chunk_mapped(data_, bytes_, 0);
}

buffer_pool::mapping::~mapping() {
    detail::annotate_chunk_unmapped(data_, bytes_);
    detail::unmap_pages(data_, bytes_);
}

buffer_pool::buffer_pool(std::size_t buffers, std::size_t buffer_bytes, registration when,
                         creation_site where)
    : buffer_bytes_(checked_buffer_bytes(buffers, buffer_bytes)), slots_(buffers),
      memory_(buffers * buffer_bytes_), where_(where) {
    for (std::uint32_t index = 0; index + 1 < buffers; ++index)
        slots_[index].next_free = index + 1;
    buffer_registrar* const registrar = buffer_registrar::current();
    if (registrar && (when == registration::wanted || registrar->useful()))
        registered_.add(*registrar, region());
}

buffer_pool::~buffer_pool() {
    if (first_waiting_)
        detail::fatal("a buffer_pool was destroyed while somebody waits for a buffer of it");
    if (users_ != 0)
        detail::fatal(
            fmt::format("a buffer_pool, made in {}, was destroyed while {} streams receive into it",
                        detail::describe(where_), users_));
    while (first_borrower_)
        first_borrower_->on_pool_destroyed();
    if (leased() != 0)
        name_leases();
}

/// Stops the program with the places where the leases were taken.
void buffer_pool::name_leases() const {
    std::vector<creation_site> sites;
    for (const slot& each : slots_) {
        if (each.taken)
            sites.push_back(each.taken_by);
    }
    detail::fatal(fmt::format(
        "a buffer_pool, made in {}, was destroyed with {} of its {} buffers leased: {}",
        detail::describe(where_), leased(), size(), detail::describe_all(sites, "taken")));
}

void buffer_pool::list_leaks(std::vector<leak>& to) const {
    for (const slot& each : slots_) {
        if (each.taken)
            to.push_back({"lease of a buffer_pool", fmt::format("buffer {}", &each - slots_.data()),
                          each.taken_by});
    }
}

buffer_lease buffer_pool::try_lease(creation_site where) noexcept {
    owner_.check("buffer_pool::lease");
    if (first_free_ == none)
        return {};
    const std::uint32_t index = first_free_;
    first_free_ = slots_[index].next_free;
    return lend(index, where);
}

buffer_lease buffer_pool::lend(std::uint32_t index, const creation_site& to) noexcept {
    slot& lent = slots_[index];
    lent.taken = true;
    lent.taken_by = to;
    leases_.add();
    std::byte* const data = memory_.data() + index * buffer_bytes_;
    detail::annotate_block_taken(memory_.data(), data, buffer_bytes_);
    return {*this, data, index};
}

void buffer_pool::take_back(std::uint32_t index) noexcept {
    owner_.check("the end of a lease of a buffer_pool");
    slot& returned = slots_[index];
    returned.taken = false;
    leases_.subtract();
    detail::annotate_block_returned(memory_.data(), memory_.data() + index * buffer_bytes_,
                                    buffer_bytes_);
    if (buffer_waiter* const waiting = first_waiting_) {
        stop_waiting(*waiting);
        return waiting->on_buffer(lend(index, waiting->where_));
    }
    returned.next_free = first_free_;
    first_free_ = index;
}

void buffer_pool::wait(buffer_waiter& waiting) noexcept {
    waiting.next_ = nullptr;
    waiting.previous_ = last_waiting_;
    (last_waiting_ ? last_waiting_->next_ : first_waiting_) = &waiting;
    last_waiting_ = &waiting;
}

void buffer_pool::stop_waiting(buffer_waiter& waiting) noexcept {
    (waiting.previous_ ? waiting.previous_->next_ : first_waiting_) = waiting.next_;
    (waiting.next_ ? waiting.next_->previous_ : last_waiting_) = waiting.previous_;
}

void buffer_pool::add(buffer_borrower& borrower) noexcept {
    borrower.previous_ = nullptr;
    borrower.next_ = first_borrower_;
    if (first_borrower_)
        first_borrower_->previous_ = &borrower;
    first_borrower_ = &borrower;
}

void buffer_pool::remove(buffer_borrower& borrower) noexcept {
    (borrower.previous_ ? borrower.previous_->next_ : first_borrower_) = borrower.next_;
    if (borrower.next_)
        borrower.next_->previous_ = borrower.previous_;
}

void buffer_lease::resize(std::size_t size) {
    if (size > capacity())
        throw std::length_error(
            fmt::format("a buffer of {} bytes cannot hold {}", capacity(), size));
    size_ = size;
}

} // namespace coracle
