// SPDX-License-Identifier: MIT
//
// The io_uring of this program, whose set-up, entries and requests may fail as planned. A request
// that has to fail becomes one that does nothing, and is answered with the planned error: since
// Linux 6.10 the kernel can be asked for that.

#include "fault.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <coracle/io/linux/uring_requests.hpp>
#include <csignal>
#include <cstddef>
#include <liburing.h>
#include <string_view>
#include <sys/socket.h>

using coracle::test::fault;
using coracle::test::planned_error;

extern "C" {
int real_queue_init_params(unsigned, io_uring*,
                           io_uring_params*) asm("__real_io_uring_queue_init_params");
int wrapped_queue_init_params(unsigned, io_uring*,
                              io_uring_params*) asm("__wrap_io_uring_queue_init_params");
void real_queue_exit(io_uring*) asm("__real_io_uring_queue_exit");
void wrapped_queue_exit(io_uring*) asm("__wrap_io_uring_queue_exit");
int real_register_ring_fd(io_uring*) asm("__real_io_uring_register_ring_fd");
int wrapped_register_ring_fd(io_uring*) asm("__wrap_io_uring_register_ring_fd");
int real_submit_and_get_events(io_uring*) asm("__real_io_uring_submit_and_get_events");
int wrapped_submit_and_get_events(io_uring*) asm("__wrap_io_uring_submit_and_get_events");
int real_submit_and_wait(io_uring*, io_uring_cqe**, unsigned, __kernel_timespec*,
                         sigset_t*) asm("__real_io_uring_submit_and_wait_timeout");
int wrapped_submit_and_wait(io_uring*, io_uring_cqe**, unsigned, __kernel_timespec*,
                            sigset_t*) asm("__wrap_io_uring_submit_and_wait_timeout");
}

namespace {

constexpr unsigned inject_result = 1U << 0; // IORING_NOP_INJECT_RESULT

/// A ring that there is, its requests in the order in which it hands them out, and how far they
/// have been looked at.
struct watched_ring {
    io_uring* ring = nullptr;
    std::array<io_uring_sqe*, 256> requests = {}; // no vector: its memory could be what runs out
    std::size_t size = 0;
    std::size_t next = 0;
    unsigned left = 0; // that were looked at and not submitted

    void begin(io_uring& made) noexcept;
    void look_at_requests() noexcept;
};

thread_local std::array<watched_ring, 4> rings;

/// The place of a ring, or of none.
watched_ring* find(const io_uring* ring) noexcept {
    const auto found = std::find_if(rings.begin(), rings.end(),
                                    [ring](const watched_ring& each) { return each.ring == ring; });
    return found == rings.end() ? nullptr : &*found;
}

/// Takes all requests of a new ring, and makes it new again.
void watched_ring::begin(io_uring& made) noexcept {
    *this = {};
    ring = &made;
    const io_uring untouched = made;
    while (io_uring_sqe* const request = io_uring_get_sqe(&made))
        requests.at(size++) = request;
    made = untouched;
}

/// The same names as for system calls; none for what cannot fail. A read that must not wait has one
/// of its own, since being told to come again is news from it.
std::string_view request_name(const io_uring_sqe& request) noexcept {
    const bool waits = (request.msg_flags & MSG_DONTWAIT) == 0;
    switch (request.opcode) {
    case IORING_OP_ACCEPT:
        return "accept";
    case IORING_OP_CONNECT:
        return "connect";
    case IORING_OP_RECV:
        return request.flags & IOSQE_BUFFER_SELECT ? "recv_many" : waits ? "recv" : "recv_now";
    case IORING_OP_RECVMSG:
        return waits ? "recvmsg" : "recvmsg_now";
    case IORING_OP_SEND:
        return "send";
    case IORING_OP_SENDMSG:
        return "sendmsg";
    case IORING_OP_POLL_ADD:
        return "poll";
    case IORING_OP_READ:
        return "wake_read";
    case IORING_OP_ASYNC_CANCEL:
        return request.user_data == coracle::uring::operation_cancel   ? "cancel"
               : request.user_data == coracle::uring::multishot_cancel ? "cancel_many"
                                                                       : "";
    default:
        return {};
    }
}

void answer(io_uring_sqe& request, int result) noexcept {
    const auto whose = request.user_data;
    request = {}; // prep_nop of newer liburings leaves what get_sqe has cleared
    io_uring_prep_nop(&request);
    request.user_data = whose;
    request.rw_flags = inject_result;
    request.len = static_cast<unsigned>(result);
}

/// Of a send; nothing else may be cut short without the kernel telling when to go on.
void cut_short(io_uring_sqe& request) noexcept {
    request.msg_flags &= ~static_cast<unsigned>(MSG_WAITALL);
    if (request.opcode == IORING_OP_SEND)
        request.len = 1;
    else
        reinterpret_cast<msghdr*>(request.addr)->msg_iovlen = 1;
}

/// Changes the requests that have not been given to the kernel yet, if they have to fail.
void watched_ring::look_at_requests() noexcept {
    for (unsigned fresh = io_uring_sq_ready(ring) - left; fresh > 0; --fresh) {
        io_uring_sqe& request = *requests[next++ % size];
        const int error = planned_error(request_name(request));
        if (error == fault::cut_short)
            cut_short(request);
        else if (error != 0)
            answer(request, -error);
    }
}

/// Enters the kernel by `call`, unless that has to fail.
template <class Call>
int enter(io_uring* entered, Call call) {
    if (const int error = planned_error("io_uring_enter"))
        return -error;
    watched_ring* const watched = find(entered);
    if (watched)
        watched->look_at_requests();
    const int result = call();
    if (watched)
        watched->left = io_uring_sq_ready(entered);
    return result;
}

} // namespace

int wrapped_queue_init_params(unsigned entries, io_uring* made, io_uring_params* parameters) {
    if (const int error = planned_error("io_uring_setup"))
        return -error;
    const int failure = real_queue_init_params(entries, made, parameters);
    watched_ring* const place =
        failure == 0 ? find(static_cast<const io_uring*>(nullptr)) : nullptr;
    if (place)
        place->begin(*made);
    return failure;
}

void wrapped_queue_exit(io_uring* ended) {
    if (watched_ring* const place = find(ended))
        *place = {};
    real_queue_exit(ended);
}

int wrapped_register_ring_fd(io_uring* ring) {
    const int error = planned_error("io_uring_register");
    return error != 0 ? -error : real_register_ring_fd(ring);
}

int wrapped_submit_and_get_events(io_uring* ring) {
    return enter(ring, [&] { return real_submit_and_get_events(ring); });
}

int wrapped_submit_and_wait(io_uring* ring, io_uring_cqe** first, unsigned completions,
                            __kernel_timespec* limit, sigset_t* mask) {
    return enter(ring, [&] { return real_submit_and_wait(ring, first, completions, limit, mask); });
}

bool coracle::test::can_answer_requests() noexcept {
    io_uring ring = {};
    io_uring_params parameters = {};
    if (real_queue_init_params(2, &ring, &parameters) != 0)
        return false;
    io_uring_sqe* const request = io_uring_get_sqe(&ring);
    request->user_data = 0;
    answer(*request, -ENOTTY);
    io_uring_cqe* completion = nullptr;
    const bool answered =
        io_uring_submit_and_wait(&ring, 1) == 1 && io_uring_peek_cqe(&ring, &completion) == 0;
    const bool as_planned = answered && completion->res == -ENOTTY;
    real_queue_exit(&ring);
    return as_planned;
}
