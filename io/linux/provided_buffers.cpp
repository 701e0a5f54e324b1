// SPDX-License-Identifier: MIT
#include "provided_buffers.hpp"

#include "../../memory/page.hpp"
#include "../posix/readiness.hpp"
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <sys/socket.h>

namespace coracle::uring {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_provided = 256;         // more would only take them out of the cache
constexpr std::size_t ring_alignment = 64 * 1024; // a multiple of every page size in use
constexpr std::size_t max_buffer_bytes = std::size_t{1} << 30;

std::size_t mapped_bytes(unsigned entries) noexcept {
    const std::size_t bytes = entries * sizeof(io_uring_buf);
    return (bytes + ring_alignment - 1) / ring_alignment * ring_alignment;
}

/// A connection that ends right after its only byte: whether a multishot receive tells both.
bool try_multishot_receive() {
    ring used;
    std::string reason;
    std::array<int, 2> ends = {};
    if (!used.open(8, reason) ||
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return false;
    const detail::owned_handle here(ends[0]);
    const detail::owned_handle there(ends[1]);
    constexpr std::uint16_t count = 2;
    std::array<std::byte, count> buffers = {};
    provided_ring lent; // goes before the buffers do: then the kernel does not write to them
    if (!lent.open(used, count, 0))
        return false;
    for (std::uint16_t i = 0; i < count; ++i)
        lent.add(&buffers[i], 1, i);
    lent.publish();
    prepare_multishot_receive(*used.request(), here.get(), 0);
    if (used.enter(0, 0s) != 0 || ::send(there.get(), "x", 1, MSG_NOSIGNAL) != 1 ||
        ::shutdown(there.get(), SHUT_WR) != 0)
        return false;
    bool came = false;
    bool ended = false;
    for (int iteration = 0; iteration < 3 && !ended; ++iteration) {
        static_cast<void>(used.enter(1, 20ms));
        used.collect([&](std::uint64_t, int answer, unsigned flags) {
            came = came || (answer == 1 && (flags & IORING_CQE_F_MORE));
            ended = ended || answer <= 0;
        });
    }
    return came && ended;
}

} // namespace

bool multishot_receive_works() noexcept {
    static const bool works = [] {
        try {
            return try_multishot_receive();
        } catch (const std::bad_alloc&) {
            return false;
        }
    }();
    return works;
}

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

bool provided_ring::open(ring& of, unsigned size, std::uint16_t group) {
    const std::size_t bytes = mapped_bytes(size);
    auto* const entries = static_cast<io_uring_buf_ring*>(detail::map_pages(bytes, ring_alignment));
    io_uring_buf_reg wanted = {};
    wanted.ring_addr = reinterpret_cast<std::uintptr_t>(entries);
    wanted.ring_entries = size;
    wanted.bgid = group;
    if (of.provide_buffers(wanted) != 0) {
        detail::unmap_pages(entries, bytes);
        return false;
    }
    io_uring_buf_ring_init(entries);
    of_ = &of;
    entries_ = entries;
    size_ = size;
    group_ = group;
    return true;
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

buffer_group::buffer_group(buffer_pool& pool, const creation_site& where) noexcept
    : pool_(&pool), where_(where) {
    pool.add(*this);
}

buffer_group::~buffer_group() {
    return_buffers();
}

bool buffer_group::open(ring& of, std::uint16_t group) {
    number_ = group;
    max_lent_ = std::min(pool_->size() / 2, max_provided);
    if (max_lent_ == 0 || pool_->buffer_bytes() > max_buffer_bytes)
        return false;
    slots_ = std::vector<detail::received_bytes>(std::bit_ceil(max_lent_));
    for (detail::received_bytes& each : slots_) {
        each.home = &free_;
        each.give_back();
    }
    return lent_.open(of, static_cast<unsigned>(slots_.size()), group);
}

void buffer_group::feed() noexcept {
    if (!pool_ || lent_count_ == max_lent_)
        return;
    while (free_ && lent_count_ < max_lent_) {
        buffer_lease spare = pool_->try_lease(where_);
        if (!spare)
            break;
        detail::received_bytes& slot = *free_;
        free_ = slot.next;
        lent_.add(spare.data(), spare.size(), static_cast<std::uint16_t>(&slot - slots_.data()));
        slot.buffer = std::move(spare);
        slot.lent = true;
        ++lent_count_;
    }
    lent_.publish();
}

detail::received_bytes& buffer_group::take(std::uint16_t slot, std::size_t bytes) noexcept {
    --lent_count_;
    slots_[slot].lent = false;
    slots_[slot].buffer.resize(bytes);
    return slots_[slot];
}

void buffer_group::return_buffers() noexcept {
    lent_.close();
    for (detail::received_bytes& each : slots_) {
        if (std::exchange(each.lent, false))
            each.buffer.reset();
    }
    if (pool_)
        pool_->remove(*this);
    pool_ = nullptr;
}

buffer_group* buffer_groups::group_of(const buffer_pool* pool) noexcept {
    for (const auto& each : groups_) {
        if (each->pool() == pool)
            return each.get();
    }
    return nullptr;
}

buffer_group* buffer_groups::group_for(buffer_pool& pool, const creation_site& where) noexcept {
    buffer_group* const known = group_of(&pool);
    if (known || refused_ || !multishot_receive_works())
        return known;
    try {
        std::erase_if(groups_, [](const auto& each) { return !each->pool(); });
        auto added = std::make_unique<buffer_group>(pool, where);
        groups_.reserve(groups_.size() + 1);
        refused_ = !added->open(ring_, made_count_);
        if (refused_)
            return nullptr;
        ++made_count_;
        added->feed();
        groups_.push_back(std::move(added));
        return groups_.back().get();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
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
