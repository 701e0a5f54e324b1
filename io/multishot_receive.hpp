// SPDX-License-Identifier: MIT
//
// multishot_receive: the bytes of a stream, in buffers of a pool that are taken only when there is
// something. So a connection that is idle holds no buffer.
//
// A receive is a loop above the backend: wait until the stream is readable, take a buffer, waiting
// for one in the queue of the pool if it must, and read. A kernel with multishot receive takes the
// buffers by itself, from those that the backend has lent it; then what has come is taken from
// there.
#pragma once

#include "buffer_pool.hpp"
#include "multishot.hpp"
#include "operation.hpp"
#include <utility>

namespace coracle {

/// The awaitable of multishot_receive::next.
class [[nodiscard]] receive_operation final : public transfer_operation, buffer_waiter {
public:
    receive_operation(const detail::descriptor_ref& from, buffer_pool& into,
                      const creation_site& where) noexcept
        : transfer_operation(opcode::wait_readable, from, nullptr, 0, "receive"),
          buffer_waiter(where), pool_(&into) {}

    receive_operation(receive_operation&& idle) noexcept
        : transfer_operation(static_cast<transfer_operation&&>(idle)), buffer_waiter(idle.where()),
          pool_(idle.pool_) {} // of which only the first moves anything

    buffer_lease await_resume() { return await_result().value(); }

    [[nodiscard]] result<buffer_lease> await_result();

    void interrupt() noexcept override;
    void describe(detail::awaiter_notes& notes) const override;

    // The rest is for backends.

    [[nodiscard]] bool next_step() noexcept override;

    [[nodiscard]] buffer_pool& pool() const noexcept { return *pool_; }

    /// Where the stream's `receive_many` was called, by which job.
    [[nodiscard]] const creation_site& where() const noexcept { return buffer_waiter::where(); }

private:
    void on_buffer(buffer_lease given) noexcept override;
    [[nodiscard]] bool take_received() noexcept;
    void read_into_buffer() noexcept;

    buffer_pool* pool_;
    [[no_unique_address]] buffer_lease buffer_; // the next one stands in its padding
    bool waits_for_buffer_ = false;
};

/// Receives from one stream; stream::receive_many makes it. Neither the pool nor the stream's loop
/// may go before it.
class multishot_receive {
public:
    multishot_receive() noexcept = default;

    /// The bytes that have come next; an empty lease at the end of the stream. One at a time.
    ///
    ///     while (true) {
    ///         const buffer_lease bytes = co_await incoming.next();
    ///         if (!bytes)
    ///             break;
    ///         co_await peer.write(bytes);
    ///     }
    ///
    /// shape    1 byte or more, up to the size of a buffer
    /// errors   operation_canceled, connection_reset, error::read_under_way if another one is
    ///          under way; bad_file_descriptor once the stream is closed
    /// owns     a buffer of the pool from when bytes have come; the lease then is the caller's
    /// cost     io_uring from Linux 6.0: 1 SQE for all. epoll and kqueue: as a read
    /// source   io_uring_prep_recv_multishot(3)
    [[nodiscard]] receive_operation next() noexcept {
        return receive_operation(use_.target(), use_.into(), where_);
    }

private:
    friend class stream;

    multishot_receive(detail::multishot_use use, const creation_site& where) noexcept
        : use_(std::move(use)), where_(where) {}

    detail::multishot_use use_;
    [[no_unique_address]] creation_site where_;
};

} // namespace coracle
