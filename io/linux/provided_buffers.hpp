// SPDX-License-Identifier: MIT
//
// provided_buffers: buffers that io_uring has at hand, for multishot receives to take when bytes
// arrive: a group of them for each pool. Private.
//
// Invariants. At most half of a pool is lent to the kernel, so that those who ask the pool itself
// always come to their turn. A slot is free, or its buffer is with the kernel, or it has been
// received and waits in the queue of a stream. The group ends before the ring, and lets go of its
// buffers when the pool goes.
#pragma once

#include "../buffer_pool.hpp"
#include "../multishot.hpp"
#include "ring.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace coracle::uring {

/// Whether this kernel's multishot receive does what it should: tried once, with a connection that
/// ends right after its bytes. Before Linux 6.0 there is none; many later kernels miss that end.
[[nodiscard]] bool multishot_receive_works() noexcept;

/// Fills in a request that receives again and again, into buffers of a group.
void prepare_multishot_receive(io_uring_sqe& request, int handle, std::uint16_t group) noexcept;

/// The kernel's ring of buffers that it may take.
class provided_ring {
public:
    provided_ring() = default;
    provided_ring(const provided_ring&) = delete;
    provided_ring& operator=(const provided_ring&) = delete;
    ~provided_ring();

    /// `size` is a power of two. False if the kernel refuses. Throws std::bad_alloc.
    [[nodiscard]] bool open(ring& of, unsigned size, std::uint16_t group);

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
    buffer_group(buffer_pool& pool, const creation_site& where) noexcept;

    ~buffer_group();

    /// False if it cannot be had. Throws std::bad_alloc.
    [[nodiscard]] bool open(ring& of, std::uint16_t group);

    /// Null once that has gone.
    [[nodiscard]] const buffer_pool* pool() const noexcept { return pool_; }

    [[nodiscard]] std::uint16_t number() const noexcept { return number_; }

    /// Lends the kernel what the pool can spare.
    void feed() noexcept;

    /// Takes back what the kernel has at hand, and is the group of no pool any more. What waits in
    /// a stream stays there.
    void return_buffers() noexcept;

    /// The kernel has filled a slot with so many bytes.
    [[nodiscard]] detail::received_bytes& take(std::uint16_t slot, std::size_t bytes) noexcept;

private:
    void on_pool_destroyed() noexcept override { return_buffers(); }

    buffer_pool* pool_;
    [[no_unique_address]] creation_site where_;
    provided_ring lent_;
    std::vector<detail::received_bytes> slots_;
    detail::received_bytes* free_ = nullptr;
    std::size_t max_lent_ = 0;
    std::size_t lent_count_ = 0;
    std::uint16_t number_ = 0;
};

/// The groups of a ring, one for each pool that a receive has wanted.
class buffer_groups {
public:
    explicit buffer_groups(ring& of) noexcept : ring_(of) {}

    /// Null if there is none.
    [[nodiscard]] buffer_group* group_of(const buffer_pool* pool) noexcept;

    /// Makes one if there is none. Null if it cannot be had: then a receive has to do without.
    [[nodiscard]] buffer_group* group_for(buffer_pool& pool, const creation_site& where) noexcept;

    /// As each group does.
    void feed() noexcept;
    void return_buffers() noexcept;

private:
    ring& ring_;
    std::vector<std::unique_ptr<buffer_group>> groups_;
    std::uint16_t made_count_ = 0;
    bool refused_ = false; // the kernel has no room for a group
};

} // namespace coracle::uring
