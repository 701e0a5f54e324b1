// SPDX-License-Identifier: MIT
#include "provided_buffers.hpp"

#include "../../memory/page.hpp"
#include "../../runtime/diagnostics/warning.hpp"
#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace coracle::uring {

namespace {

constexpr std::size_t max_provided = 256;         // more would only take them out of the cache
constexpr std::size_t ring_alignment = 64 * 1024; // a multiple of every page size in use
constexpr std::size_t max_buffer_bytes = std::size_t{1} << 30;
constexpr std::size_t max_id = 65535;

std::size_t mapped_bytes(unsigned entries) noexcept {
    const std::size_t bytes = entries * sizeof(io_uring_buf);
    return (bytes + ring_alignment - 1) / ring_alignment * ring_alignment;
}

/// A fall-back is said once: the next pool will not fare better.
void warn_refused(int failure) {
    static std::atomic<bool> said = false;
    if (!said.exchange(true))
        warning(fmt::format(
            "io_uring: buffers cannot be lent for multishot receive: {}{}", std::strerror(-failure),
            failure == -ENOMEM ? " (the limit of locked memory, ulimit -l, may be too small)"
                               : ""));
}

} // namespace

void prepare_multishot_receive(io_uring_sqe& request, int handle, std::uint16_t group) noexcept {
    io_uring_prep_recv_multishot(&request, handle, nullptr, 0, 0);
    // Not before there is something: or it would want a buffer to find out that there is nothing.
    request.ioprio |= IORING_RECVSEND_POLL_FIRST;
    request.flags |= IOSQE_BUFFER_SELECT;
    request.buf_group = group;
}

provided_ring::~provided_ring() {
    close();
}

int provided_ring::open(ring& of, unsigned size, std::uint16_t group) {
    const std::size_t bytes = mapped_bytes(size);
    auto* const entries = static_cast<io_uring_buf_ring*>(detail::map_pages(bytes, ring_alignment));
    io_uring_buf_reg wanted = {};
    wanted.ring_addr = reinterpret_cast<std::uintptr_t>(entries);
    wanted.ring_entries = size;
    wanted.bgid = group;
    const int failure = of.provide_buffers(wanted);
    if (failure != 0) {
        detail::unmap_pages(entries, bytes);
        return failure;
    }
    io_uring_buf_ring_init(entries);
    of_ = &of;
    entries_ = entries;
    size_ = size;
    group_ = group;
    return 0;
}

void provided_ring::add(std::byte* data, std::size_t bytes, std::uint16_t name) noexcept {
    io_uring_buf_ring_add(entries_, data, static_cast<unsigned>(bytes), name,
                          io_uring_buf_ring_mask(size_), static_cast<int>(unpublished_++));
}

void provided_ring::publish() noexcept {
    io_uring_buf_ring_advance(entries_, static_cast<int>(std::exchange(unpublished_, 0)));
}

void provided_ring::close() noexcept {
    if (!entries_)
        return;
    of_->withdraw_buffers(group_);
    detail::unmap_pages(std::exchange(entries_, nullptr), mapped_bytes(size_));
}

buffer_group::buffer_group(buffer_pool& pool, const creation_site& where, std::uint16_t id) noexcept
    : pool_(&pool), where_(where), id_(id) {
    pool.add(*this);
}

buffer_group::~buffer_group() {
    return_buffers();
}

int buffer_group::open(ring& of) {
    const std::size_t count = std::min(pool_->size() / 2, max_provided);
    if (count == 0 || pool_->buffer_bytes() > max_buffer_bytes)
        return 0;
    slots_ = std::vector<received_bytes>(std::bit_ceil(count));
    for (received_bytes& each : slots_) {
        each.home = &free_;
        each.give_back();
    }
    const int failure = lent_.open(of, static_cast<unsigned>(slots_.size()), id_);
    if (failure == 0)
        max_lent_ = count;
    return failure;
}

void buffer_group::feed() noexcept {
    if (!pool_ || lent_count_ == max_lent_)
        return;
    while (free_ && lent_count_ < max_lent_) {
        buffer_lease spare = pool_->try_lease(where_);
        if (!spare)
            break;
        received_bytes& slot = *free_;
        free_ = slot.next;
        lent_.add(spare.data(), spare.size(), static_cast<std::uint16_t>(&slot - slots_.data()));
        slot.buffer = std::move(spare);
        slot.lent = true;
        ++lent_count_;
    }
    lent_.publish();
}

received_bytes* buffer_group::take(std::uint16_t slot, std::size_t bytes) noexcept {
    if (!pool_)
        return nullptr;
    --lent_count_;
    slots_[slot].lent = false;
    slots_[slot].buffer.resize(bytes);
    return &slots_[slot];
}

void buffer_group::return_buffers() noexcept {
    lent_.close();
    for (received_bytes& each : slots_) {
        if (std::exchange(each.lent, false))
            each.buffer.reset();
    }
    if (pool_)
        pool_->remove(*this);
    pool_ = nullptr;
}

buffer_group* buffer_groups::group_for(buffer_pool& pool, const creation_site& where) noexcept {
    for (const auto& each : groups_) {
        if (each->pool() == &pool)
            return each->usable() ? each.get() : nullptr;
    }
    try {
        return make_group(pool, where);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

/// A group that cannot be used is kept as well, so that the kernel is asked once for each pool.
buffer_group* buffer_groups::make_group(buffer_pool& pool, const creation_site& where) {
    const auto free = std::find_if(groups_.begin(), groups_.end(),
                                   [](const auto& each) { return each->unused(); });
    const auto id = static_cast<std::size_t>(free - groups_.begin());
    if (id > max_id)
        return nullptr;
    if (free == groups_.end())
        groups_.reserve(groups_.size() + 1);
    auto added = std::make_unique<buffer_group>(pool, where, static_cast<std::uint16_t>(id));
    const int failure = added->open(ring_);
    if (failure != 0)
        warn_refused(failure);
    added->feed();
    buffer_group* const group = added.get();
    if (id == groups_.size())
        groups_.push_back(std::move(added));
    else
        groups_[id] = std::move(added);
    return group->usable() ? group : nullptr;
}

void buffer_groups::feed() noexcept {
    for (const auto& each : groups_)
        each->feed();
}

void buffer_groups::return_buffers() noexcept {
    for (const auto& each : groups_)
        each->return_buffers();
}

} // namespace coracle::uring
