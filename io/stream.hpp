// SPDX-License-Identifier: MIT
//
// stream: a connection that carries bytes in both directions, whatever it is made of.
//
// At most one read is under way at a time; writes take their turn in the order in which they were
// awaited, so that two of them never interleave. Urgent data (MSG_OOB) is not for streams: a read
// stops before it, and on io_uring and kqueue what follows it may have to wait for the next
// arrival.
#pragma once

#include "buffer.hpp"
#include "multishot_receive.hpp"
#include "operation.hpp"
#include "socket.hpp"
#include <span>

namespace coracle {

class stream : public socket {
public:
    stream() noexcept = default;

    explicit stream(socket connected) noexcept : socket(std::move(connected)) {}

    /// Reads into `into`; resumes once at least one byte has arrived.
    ///
    /// shape    into: 1 byte or more. Gives 1..into.size(); 0 is end of stream
    /// errors   operation_canceled, connection_reset, error::read_under_way if another read is
    ///          under way; any other OS code unchanged
    /// owns     borrows `into` until it resumes
    /// cost     io_uring: 1 SQE. epoll: recv(2), and nothing else while data is there
    /// source   recv(2), io_uring_prep_recv(3)
    [[nodiscard]] read_operation read(mutable_buffer into) noexcept {
        return read_operation(state(), into, false);
    }

    /// Reads until `into` is full.
    ///
    /// shape    into: 1 byte or more. Gives into.size(); 0 if the stream ended before any byte
    /// errors   as read; error::unexpected_end if the stream ends in the middle. Cancelled in the
    ///          middle, it has taken an unknown part from the stream
    /// owns     borrows `into` until it resumes
    [[nodiscard]] read_operation read_exactly(mutable_buffer into) noexcept {
        return read_operation(state(), into, true);
    }

    /// Reads into several buffers, one after the other: scatter.
    ///
    /// shape    into: at least 1 byte in all. Gives the bytes read; 0 is end of stream
    /// errors   as read
    /// owns     borrows `into` and what it refers to until it resumes
    /// source   readv(2), recvmsg(2)
    [[nodiscard]] read_vector_operation read(std::span<const mutable_buffer> into) noexcept {
        return read_vector_operation(state(), into);
    }

    /// Multishot receive: reads again and again, into buffers of `into` that are taken only when
    /// there is something. For servers with many connections of which most are idle.
    ///
    /// As long as the object is there, nothing else reads from this stream. What has come and was
    /// not taken when it goes stays with the stream, whose next read gets it; it holds its buffers
    /// until then or until the stream is closed.
    ///
    /// errors   thrown: error::read_under_way if there is such an object already,
    ///          bad_file_descriptor if the stream is closed
    /// owns     `into` is borrowed until both the object and the stream are gone; the kernel may
    ///          keep up to half of its buffers at hand
    [[nodiscard]] multishot_receive receive_many(buffer_pool& into, creation_site where = {}) {
        return multishot_receive(detail::multishot_use(state(), &into), where);
    }

    /// Writes all of `from`, after the writes that were awaited before it.
    ///
    /// errors   operation_canceled, broken_pipe, connection_reset; error::write_cut_short if an
    ///          earlier write was cancelled in its middle: then the stream can only be closed
    /// owns     borrows `from` until it resumes
    /// cost     io_uring: 1 SQE. epoll: send(2), and nothing else while the send buffer has space
    /// source   send(2) with MSG_NOSIGNAL, io_uring_prep_send(3)
    [[nodiscard]] write_operation write(const_buffer from CORACLE_LIFETIMEBOUND) noexcept {
        return write_operation(state(), from);
    }

    /// Writes all of several buffers, one after the other: gather.
    ///
    /// errors   as write
    /// owns     borrows `from` and what it refers to until it resumes
    /// source   writev(2), sendmsg(2)
    [[nodiscard]] write_vector_operation
    write(std::span<const const_buffer> from CORACLE_LIFETIMEBOUND) noexcept {
        return write_vector_operation(state(), from);
    }

    /// Ends one direction or both: `write` sends the end of the stream after what was written, and
    /// the peer may still answer; `read` makes reads give 0. At once, without waiting; a write that
    /// is under way fails.
    ///
    /// errors   not_connected if the peer has reset the connection; bad_file_descriptor if closed
    /// source   shutdown(2)
    void shutdown(shutdown_direction direction);
};

} // namespace coracle
