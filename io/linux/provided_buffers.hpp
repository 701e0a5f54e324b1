// SPDX-License-Identifier: MIT
//
// provided_buffers: buffers that io_uring has at hand, for multishot receives to take when bytes
// arrive: a group of them for each pool. Private.
//
// Invariants. At most half of a pool is lent to the kernel, so that those who ask the pool itself
// always come to their turn. A slot is free, or its buffer is with the kernel, or it has been
// received and waits in the queue of a stream. A group gives its buffers back when the pool ends,
// but keeps its id until the last multishot that was armed with it has ended: a completion that
// comes late finds the group it is of, and never another one.
#pragma once

#include "../buffer_pool.hpp"
#include "received_bytes.hpp"
#include "ring.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace coracle::uring {

/// Fills in a request that receives again and again, into buffers of a group.
void prepare_multishot_receive(io_uring_sqe& request, int handle, std::uint16_t group) noexcept;

/// The kernel's ring of buffers that it may take.
class provided_ring {
public:
    provided_ring() = default;
    provided_ring(const provided_ring&) = delete;
    provided_ring& operator=(const provided_ring&) = delete;
    ~provided_ring();

    /// `size` is a power of two. 0 or a negative error number. Throws std::bad_alloc.
    [[nodiscard]] int open(ring& of, unsigned size, std::uint16_t group);

    /// Lends a buffer, from the next `publish` on.
    void add(std::byte* data, std::size_t bytes, std::uint16_t name) noexcept;

    void publish() noexcept;

    /// Takes all back.
    void close() noexcept;

private:
    ring* of_ = nullptr;
    io_uring_buf_ring* entries_ = nullptr;
    unsigned size_ = 0;
    unsigned unpublished_ = 0;
    std::uint16_t group_ = 0;
};

class buffer_group final : buffer_borrower {
public:
    /// `where` is what the pool names for the buffers that the kernel has.
    buffer_group(buffer_pool& pool, const creation_site& where, std::uint16_t id) noexcept;

    ~buffer_group();

    /// 0 or a negative error number. Throws std::bad_alloc.
    [[nodiscard]] int open(ring& of);

    /// Whether the kernel can be given buffers: not if the pool has too few of them or the kernel
    /// has refused.
    [[nodiscard]] bool usable() const noexcept { return max_lent_ > 0; }

    /// Null once that has ended.
    [[nodiscard]] const buffer_pool* pool() const noexcept { return pool_; }

    [[nodiscard]] std::uint16_t id() const noexcept { return id_; }

    /// A multishot receives into this group, until `remove_user`.
    void add_user() noexcept { ++users_; }

    void remove_user() noexcept { --users_; }

    /// Whether neither a pool nor a completion to come refers to it.
    [[nodiscard]] bool unused() const noexcept { return !pool_ && users_ == 0; }

    /// Lends the kernel what the pool can spare.
    void feed() noexcept;

    /// Takes back what the kernel has at hand, and is the group of no pool any more. What waits in
    /// a stream stays there.
    void return_buffers() noexcept;

    /// The kernel has filled a slot with so many bytes. Null if the pool has ended since.
    [[nodiscard]] received_bytes* take(std::uint16_t slot, std::size_t bytes) noexcept;

private:
    void on_pool_destroyed() noexcept override { return_buffers(); }

    buffer_pool* pool_;
    [[no_unique_address]] creation_site where_;
    provided_ring lent_;
    std::vector<received_bytes> slots_;
    received_bytes* free_ = nullptr;
    std::size_t max_lent_ = 0; // 0: it cannot be used
    std::size_t lent_count_ = 0;
    std::size_t users_ = 0;
    std::uint16_t id_;
};

/// The groups of a ring, one for each pool that a receive has wanted. A group's id is its index.
class buffer_groups {
public:
    explicit buffer_groups(ring& of) noexcept : ring_(of) {}

    /// Makes one if there is none. Null if the kernel can be given no buffers of this pool: then a
    /// receive has to do without.
    [[nodiscard]] buffer_group* group_for(buffer_pool& pool, const creation_site& where) noexcept;

    /// As each group does.
    void feed() noexcept;
    void return_buffers() noexcept;

private:
    [[nodiscard]] buffer_group* make_group(buffer_pool& pool, const creation_site& where);

    ring& ring_;
    std::vector<std::unique_ptr<buffer_group>> groups_;
};

} // namespace coracle::uring
