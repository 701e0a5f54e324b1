// SPDX-License-Identifier: MIT
#include "calls.hpp"

#include "differences.hpp"
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <unistd.h>
#include <utility>

namespace coracle::posix {

namespace {

static_assert(sizeof(vector_operation::part) == sizeof(iovec) &&
              offsetof(vector_operation::part, size) == offsetof(iovec, iov_len) &&
              sizeof(msghdr) <= sizeof(vector_operation::scratch_space::header));

int handle_of(const operation& op) noexcept {
    return static_cast<int>(op.target().handle);
}

ssize_t receive(transfer_operation& read) noexcept {
    return ::recv(handle_of(read), read.data(), std::min(read.size(), max_bytes), MSG_DONTWAIT);
}

ssize_t send(transfer_operation& write) noexcept {
    return ::send(handle_of(write), write.data(), std::min(write.size(), max_bytes),
                  MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t receive_message(vector_operation& read) noexcept {
    return ::recvmsg(handle_of(read), &message_of(read), MSG_DONTWAIT);
}

ssize_t send_message(vector_operation& write) noexcept {
    return ::sendmsg(handle_of(write), &message_of(write), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// Of those who share a listener one may have ended, and restored what it had found, whatever the
/// others need.
ssize_t accept(const operation& op) noexcept {
    detail::descriptor& listener = op.target();
    if (listener.adopted) {
        if (const std::error_code error = set_blocking(listener, false)) {
            errno = error.value();
            return -1;
        }
    }
    return accept_connection(handle_of(op));
}

/// Begins to connect; once that is under way, asks how it went.
ssize_t connect(connect_operation& connecting) noexcept {
    const int handle = handle_of(connecting);
    if (!connecting.under_way) {
        const socklen_t size = to_native(connecting.peer(), connecting.scratch.data());
        auto* const peer = reinterpret_cast<const sockaddr*>(connecting.scratch.data());
        if (::connect(handle, peer, size) == 0)
            return 0;
        connecting.under_way = errno == EINPROGRESS || errno == EINTR;
        if (connecting.under_way)
            errno = EAGAIN;
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(handle, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -1;
    errno = error;
    if (error != 0)
        return -1;
    sockaddr_storage peer = {};
    size = sizeof peer;
    if (::getpeername(handle, reinterpret_cast<sockaddr*>(&peer), &size) == 0)
        return 0;
    if (errno == ENOTCONN)
        errno = EAGAIN; // woken too early
    return -1;
}

/// One call, with its answer as the kernel gives it. `full_size` is what a full answer would be.
ssize_t call(operation& op, std::size_t& full_size) noexcept {
    full_size = 0;
    switch (op.code()) {
    case opcode::accept:
        return accept(op);
    case opcode::connect:
        return connect(static_cast<connect_operation&>(op));
    case opcode::wait_readable:
        return 1; // which only the backend can tell
    case opcode::read:
    case opcode::try_read:
        full_size = static_cast<transfer_operation&>(op).size();
        return receive(static_cast<transfer_operation&>(op));
    case opcode::write:
        full_size = static_cast<transfer_operation&>(op).size();
        return send(static_cast<transfer_operation&>(op));
    case opcode::read_vector:
        return receive_message(static_cast<vector_operation&>(op));
    case opcode::write_vector:
        return send_message(static_cast<vector_operation&>(op));
    }
    errno = ENOSYS;
    return -1;
}

} // namespace

std::error_code error_of(int number) noexcept {
    return {number, std::system_category()};
}

std::error_code last_error() noexcept {
    return error_of(errno);
}

attempt_result attempt(operation& op) noexcept {
    for (;;) {
        std::size_t full_size = 0;
        const ssize_t answer = call(op, full_size);
        if (answer >= 0) {
            const bool short_answer =
                static_cast<std::size_t>(answer) < std::min(full_size, max_bytes);
            if (op.advance(answer))
                return short_answer && answer > 0 ? attempt_result::partial
                                                  : attempt_result::complete;
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return attempt_result::blocked;
        if (errno == EINTR)
            continue;
        op.fail(last_error());
        return attempt_result::complete;
    }
}

socklen_t to_native(const address& value, void* storage) noexcept {
    if (value.is_v6()) {
        sockaddr_in6 native = {};
        native.sin6_family = AF_INET6;
        native.sin6_port = htons(value.port());
        native.sin6_scope_id = value.scope();
        std::memcpy(&native.sin6_addr, value.bytes().data(), 16);
        std::memcpy(storage, &native, sizeof native);
        return sizeof native;
    }
    sockaddr_in native = {};
    native.sin_family = AF_INET;
    native.sin_port = htons(value.port());
    std::memcpy(&native.sin_addr, value.bytes().data(), 4);
    std::memcpy(storage, &native, sizeof native);
    return sizeof native;
}

address from_native(const sockaddr_storage& value) {
    if (value.ss_family == AF_INET6) {
        sockaddr_in6 native;
        std::memcpy(&native, &value, sizeof native);
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &native.sin6_addr, bytes.size());
        return {bytes, ntohs(native.sin6_port), native.sin6_scope_id};
    }
    if (value.ss_family != AF_INET)
        throw std::system_error(std::make_error_code(std::errc::address_family_not_supported),
                                "the socket's address is neither IPv4 nor IPv6");
    sockaddr_in native;
    std::memcpy(&native, &value, sizeof native);
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &native.sin_addr, bytes.size());
    return {bytes, ntohs(native.sin_port)};
}

msghdr& message_of(vector_operation& moved) noexcept {
    auto& scratch = moved.scratch;
    auto* const message = new (scratch.header.data()) msghdr{};
    message->msg_iovlen = static_cast<decltype(msghdr::msg_iovlen)>(moved.remaining(scratch.parts));
    message->msg_iov = reinterpret_cast<iovec*>(scratch.parts.data());
    return *message;
}

std::error_code set_blocking(int handle, bool blocking) noexcept {
    const int flags = ::fcntl(handle, F_GETFL);
    if (flags < 0)
        return last_error();
    const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (wanted != flags && ::fcntl(handle, F_SETFL, wanted) < 0)
        return last_error();
    return {};
}

std::error_code set_blocking(detail::descriptor& target, bool blocking) noexcept {
    const auto handle = static_cast<int>(target.handle);
    const int flags = ::fcntl(handle, F_GETFL);
    if (flags < 0)
        return last_error();
    const bool blocks = (flags & O_NONBLOCK) == 0;
    if (blocks != blocking) {
        if (const std::error_code error = set_blocking(handle, blocking))
            return error;
        if (!std::exchange(target.blocking_changed, true))
            target.original_non_blocking = !blocks;
    }
    target.non_blocking = !blocking;
    return {};
}

} // namespace coracle::posix
