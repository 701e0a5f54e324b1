// SPDX-License-Identifier: MIT
#include "uring_requests.hpp"

#include "../../memory/fatal.hpp"
#include "../posix/calls.hpp"
#include "provided_buffers.hpp"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>

namespace coracle::uring {

bool make_blocking(operation& op) noexcept {
    const std::error_code error = posix::set_blocking(op.target(), true);
    if (error)
        op.fail(error);
    return !error;
}

void requests::enter(unsigned completions, std::chrono::nanoseconds limit) noexcept {
    const int failure = ring_.enter(completions, limit);
    if (failure != 0)
        detail::fatal(fmt::format("io_uring_enter failed: {}", std::strerror(-failure)));
}

io_uring_sqe* requests::sqe() noexcept {
    io_uring_sqe* free = ring_.request();
    if (!free) {
        enter(0, no_timeout);
        free = ring_.request();
    }
    return free;
}

bool requests::prep(operation& op) noexcept {
    io_uring_sqe* const sqe = this->sqe();
    if (!sqe)
        return false;
    fill_in(*sqe, op);
    io_uring_sqe_set_data64(sqe, to_user_data(op));
    return true;
}

void requests::fill_in(io_uring_sqe& sqe, operation& op) noexcept {
    const int handle = static_cast<int>(op.target().handle);
    switch (op.code()) {
    case opcode::accept:
        io_uring_prep_accept(&sqe, handle, nullptr, nullptr, SOCK_CLOEXEC);
        break;
    case opcode::connect: {
        auto& connecting = static_cast<connect_operation&>(op);
        const socklen_t size = posix::to_native(connecting.peer(), connecting.scratch.data());
        io_uring_prep_connect(&sqe, handle,
                              reinterpret_cast<const sockaddr*>(connecting.scratch.data()), size);
        break;
    }
    case opcode::wait_readable:
        io_uring_prep_poll_add(&sqe, handle, POLLIN | POLLRDHUP);
        break;
    case opcode::read:
    case opcode::try_read: {
        auto& read = static_cast<transfer_operation&>(op);
        const int flags = op.code() == opcode::read ? wait_flags(op) : MSG_DONTWAIT;
        io_uring_prep_recv(&sqe, handle, read.data(), std::min(read.size(), posix::max_bytes),
                           flags);
        break;
    }
    case opcode::write: {
        auto& write = static_cast<transfer_operation&>(op);
        io_uring_prep_send(&sqe, handle, write.data(), std::min(write.size(), posix::max_bytes),
                           MSG_NOSIGNAL | MSG_WAITALL);
        break;
    }
    case opcode::read_vector:
        io_uring_prep_recvmsg(&sqe, handle, &posix::message_of(static_cast<vector_operation&>(op)),
                              static_cast<unsigned>(wait_flags(op)));
        break;
    case opcode::write_vector:
        io_uring_prep_sendmsg(&sqe, handle, &posix::message_of(static_cast<vector_operation&>(op)),
                              MSG_NOSIGNAL | MSG_WAITALL);
        break;
    }
}

bool requests::prep_poll(const detail::descriptor& fd_state) noexcept {
    io_uring_sqe* const sqe = this->sqe();
    if (!sqe)
        return false;
    io_uring_prep_poll_multishot(sqe, static_cast<int>(fd_state.handle), POLLIN | POLLRDHUP);
    io_uring_sqe_set_data64(sqe, to_poll_data(fd_state));
    return true;
}

bool requests::prep_multishot_accept(const detail::descriptor& listener) noexcept {
    io_uring_sqe* const sqe = this->sqe();
    if (!sqe)
        return false;
    io_uring_prep_multishot_accept(sqe, static_cast<int>(listener.handle), nullptr, nullptr,
                                   SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, to_multishot_data(listener));
    return true;
}

bool requests::prep_multishot_receive(const detail::descriptor& stream,
                                      std::uint16_t group) noexcept {
    io_uring_sqe* const sqe = this->sqe();
    if (!sqe)
        return false;
    prepare_multishot_receive(*sqe, static_cast<int>(stream.handle), group);
    io_uring_sqe_set_data64(sqe, to_multishot_data(stream));
    return true;
}

bool requests::prep_wake_up(int handle, std::span<std::byte> into) noexcept {
    io_uring_sqe* const sqe = this->sqe();
    if (!sqe)
        return false;
    io_uring_prep_read(sqe, handle, into.data(), static_cast<unsigned>(into.size()), 0);
    io_uring_sqe_set_data64(sqe, wake_up);
    return true;
}

bool requests::prep_cancel(std::uint64_t name, std::uint64_t answer_name) noexcept {
    io_uring_sqe* const sqe = this->sqe();
    if (!sqe)
        return false;
    io_uring_prep_cancel64(sqe, name, 0);
    io_uring_sqe_set_data64(sqe, answer_name);
    return true;
}

} // namespace coracle::uring
