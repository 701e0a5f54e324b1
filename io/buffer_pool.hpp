// SPDX-License-Identifier: MIT
//
// buffer_pool: buffers of one size in one mapping, lent out by leases.
//
// A lease is the right to one buffer: it moves, and gives its buffer back when it goes. It is a
// contiguous range of bytes, so that it can be read into and written from as it is:
//
//     buffer_pool pool(64, 4096);
//     buffer_lease buffer = co_await pool.lease();       // or pool.try_lease(), which never waits
//     buffer.resize(co_await peer.read(buffer));
//     co_await peer.write(buffer);
//
// Invariants. A buffer is either free or has one lease. Nobody waits while a buffer is free: what
// comes back goes to the one who has waited longest. The pool stays where it is and outlives its
// leases; one that does not stops the program with a message that names where they were taken. All
// of it happens on one thread.
#pragma once

#include "../runtime/diagnostics/gauge.hpp"
#include "../runtime/diagnostics/leaks.hpp"
#include "../runtime/threads/thread_owner.hpp"
#include "buffer_registrar.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace coracle {

class buffer_lease;
class buffer_pool;
class lease_operation;

/// One who waits for a buffer. In the queue of one pool at most, until it is granted a buffer or
/// stops waiting.
class buffer_waiter {
public:
    buffer_waiter(const buffer_waiter&) = delete;
    buffer_waiter& operator=(const buffer_waiter&) = delete;

    /// Here is a buffer, and this waiter is in the queue no more. It is called from where another
    /// lease goes, so it resumes nothing. It may drop what it is given.
    virtual void on_buffer(buffer_lease given) noexcept = 0;

protected:
    explicit buffer_waiter(const creation_site& where) noexcept : where_(where) {}

    ~buffer_waiter() = default;

    /// Where the lease counts as taken, and by whom.
    [[nodiscard]] const creation_site& where() const noexcept { return where_; }

private:
    friend class buffer_pool;

    creation_site where_;
    buffer_waiter* next_ = nullptr;
    buffer_waiter* previous_ = nullptr;
};

/// Whether the memory of a pool is made known to the kernel in advance, which takes it out of what
/// a user may lock (ulimit -l). By default where the operations gain by it.
enum class registration : std::uint8_t { where_useful, wanted };

/// One who keeps buffers of a pool at hand for as long as the pool lives.
class buffer_borrower {
public:
    buffer_borrower(const buffer_borrower&) = delete;
    buffer_borrower& operator=(const buffer_borrower&) = delete;

    /// The pool is about to go: lets go of its leases, and has itself removed.
    virtual void on_pool_destroyed() noexcept = 0;

protected:
    buffer_borrower() = default;
    ~buffer_borrower() = default;

private:
    friend class buffer_pool;

    buffer_borrower* next_ = nullptr;
    buffer_borrower* previous_ = nullptr;
};

class buffer_pool final : detail::leak_source {
public:
    /// Maps `buffers` times `buffer_bytes`, the latter rounded up to a multiple of 64. The mapping
    /// begins with a page; so does each buffer if its size is a multiple of the page size.
    ///
    /// errors   std::invalid_argument for a size or number of 0, or more than an address space
    ///          holds; std::bad_alloc
    /// cost     a page takes memory from when it is first touched, or all from when it is
    /// registered
    explicit buffer_pool(std::size_t buffers = 64, std::size_t buffer_bytes = 4096,
                         registration when = registration::where_useful, creation_site where = {});

    ~buffer_pool();
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;

    /// A buffer, at once; an empty lease if all are leased.
    [[nodiscard]] buffer_lease try_lease(creation_site where = {}) noexcept;

    /// Awaitable: a buffer, as soon as there is one for it. Those who wait are served in order.
    /// Defined in io/lease.hpp.
    ///
    /// errors   operation_canceled
    [[nodiscard]] lease_operation lease(creation_site where = {}) noexcept;

    /// How many buffers there are, of how many bytes each.
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    [[nodiscard]] std::size_t buffer_bytes() const noexcept { return buffer_bytes_; }

    [[nodiscard]] std::size_t leased() const noexcept { return leases_.count(); }

    [[nodiscard]] std::size_t available() const noexcept { return size() - leased(); }

    /// All buffers, one after the other: the buffer with index i begins at i * buffer_bytes().
    [[nodiscard]] std::span<std::byte> region() const noexcept {
        return {memory_.data(), size() * buffer_bytes_};
    }

    /// Under what the kernel of this context knows the region; empty if it does not, because the
    /// pool was made where no context was, the context has ended, or the kernel refused.
    [[nodiscard]] const buffer_registration& registered() const noexcept { return registered_; }

    /// Puts `waiting` at the end of the queue; for when try_lease has given none.
    void wait(buffer_waiter& waiting) noexcept;

    /// Takes one out of the queue that is still in it.
    void stop_waiting(buffer_waiter& waiting) noexcept;

    /// Tells a borrower when this pool goes, unless it is taken out before.
    void add(buffer_borrower& borrower) noexcept;
    void remove(buffer_borrower& borrower) noexcept;

    /// Someone will ask for buffers now and then: the pool must not go before `remove_user`.
    void add_user() noexcept { ++users_; }

    void remove_user() noexcept { --users_; }

private:
    friend class buffer_lease;

    static constexpr std::uint32_t none = ~std::uint32_t{0};

    class mapping {
    public:
        explicit mapping(std::size_t bytes);
        ~mapping();
        mapping(const mapping&) = delete;
        mapping& operator=(const mapping&) = delete;

        [[nodiscard]] std::byte* data() const noexcept { return data_; }

    private:
        std::size_t bytes_;
        std::byte* data_;
    };

    struct slot {
        std::uint32_t next_free = none;
        bool taken = false;
        creation_site taken_by; // if it is
    };

    [[nodiscard]] buffer_lease lend(std::uint32_t index, const creation_site& to) noexcept;
    void take_back(std::uint32_t index) noexcept;
    [[noreturn]] void name_leases() const;
    void list_leaks(std::vector<leak>& to) const override;

    std::size_t buffer_bytes_;
    detail::thread_owner owner_;
    detail::gauge leases_{detail::gauge_kind::leases};
    std::vector<slot> slots_;
    mapping memory_;
    buffer_registration registered_; // goes before the memory does
    std::uint32_t first_free_ = 0;
    buffer_waiter* first_waiting_ = nullptr;
    buffer_waiter* last_waiting_ = nullptr;
    buffer_borrower* first_borrower_ = nullptr;
    std::size_t users_ = 0;
    creation_site where_;
};

/// The right to one buffer of a pool, or to none. Like a span it refers to bytes that can be
/// written whether it is const or not.
class [[nodiscard]] buffer_lease {
public:
    buffer_lease() noexcept = default;

    buffer_lease(buffer_lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)), index_(other.index_) {}

    buffer_lease& operator=(buffer_lease other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(index_, other.index_);
        return *this;
    }

    ~buffer_lease() {
        if (pool_)
            pool_->take_back(index_);
    }

    /// Whether there is a buffer.
    [[nodiscard]] explicit operator bool() const noexcept { return pool_ != nullptr; }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }

    /// The bytes in use: the whole buffer at first, then what `resize` said.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    [[nodiscard]] std::size_t capacity() const noexcept {
        return pool_ ? pool_->buffer_bytes() : 0;
    }

    [[nodiscard]] std::byte* begin() const noexcept { return data_; }

    [[nodiscard]] std::byte* end() const noexcept { return data_ + size_; }

    /// Uses the first `size` bytes of the buffer; what is in it stays.
    ///
    /// errors   std::length_error for more than the capacity
    void resize(std::size_t size);

    /// Gives the buffer back now.
    void reset() noexcept { *this = buffer_lease(); }

    /// Which buffer of its pool this is, and how far it is from the begin of the pool's region.
    /// Only of a lease that has a buffer.
    [[nodiscard]] std::uint32_t index() const noexcept { return index_; }

    [[nodiscard]] std::size_t offset() const noexcept { return index_ * pool_->buffer_bytes(); }

    /// The pool that it is from; null if it has no buffer.
    [[nodiscard]] buffer_pool* pool() const noexcept { return pool_; }

private:
    friend class buffer_pool;

    buffer_lease(buffer_pool& from, std::byte* data, std::uint32_t index) noexcept
        : pool_(&from), data_(data), size_(from.buffer_bytes()), index_(index) {}

    buffer_pool* pool_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::uint32_t index_ = 0;
};

} // namespace coracle
