// SPDX-License-Identifier: MIT
//
// iocp: completions. An operation is started at once, and its packet comes to a port that the loop
// sleeps on; what succeeds without waiting makes no packet.
//
// Invariants. The OVERLAPPED lives in the operation. Once a call has returned ERROR_IO_PENDING,
// both stay until the packet has come, also after CancelIoEx: only its packet retires an operation.
// A socket is closed after its last packet.
//
// A socket belongs to a port for as long as it lives, unless Windows (8.1 and newer) is asked to
// take it away, as is done when a socket is released or outlives its loop.
#include "iocp.hpp"

#include "../../memory/fatal.hpp"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <new>

namespace coracle {

namespace {

/// What a port gives back; it lives in the operation's storage.
struct packet : OVERLAPPED {
    operation* of;
};

static_assert(sizeof(packet) <= sizeof(detail::operation_storage) &&
              alignof(packet) <= alignof(detail::operation_storage));

constexpr DWORD address_bytes = sizeof(sockaddr_in6) + 16; // AcceptEx demands 16 more

/// What an AcceptEx writes to, in the operation's accept_storage.
struct accept_answer {
    SOCKET accepted;
    std::array<std::byte, std::size_t{2} * address_bytes> addresses;
};

static_assert(sizeof(accept_answer) <= sizeof(detail::accept_storage) &&
              alignof(accept_answer) <= alignof(detail::accept_storage));

SOCKET socket_of(const operation& op) noexcept {
    return static_cast<SOCKET>(op.target().handle);
}

HANDLE handle_of(const detail::descriptor& target) noexcept {
    return reinterpret_cast<HANDLE>(target.handle);
}

accept_answer& answer_of(accept_operation& accepting) noexcept {
    return *std::launder(reinterpret_cast<accept_answer*>(accepting.answer.bytes.data()));
}

bool is_write(const operation& op) noexcept {
    return op.code() == opcode::write || op.code() == opcode::write_vector;
}

/// The buffers of an operation, as Windows wants them. They are read before the call returns.
struct native_buffers {
    std::array<WSABUF, vector_operation::max_parts> parts;
    DWORD count = 0;

    void add(void* data, std::size_t size) noexcept {
        parts[count].buf = static_cast<char*>(data);
        parts[count].len = static_cast<ULONG>(std::min(size, windows::max_bytes));
        ++count;
    }

    /// The same for both kinds of operation.
    static native_buffers of(const operation& op) noexcept {
        native_buffers made;
        if (op.code() != opcode::read_vector && op.code() != opcode::write_vector) {
            const auto& transfer = static_cast<const transfer_operation&>(op);
            made.add(transfer.data(), transfer.size());
            return made;
        }
        std::array<vector_operation::part, vector_operation::max_parts> remaining;
        const std::size_t count = static_cast<const vector_operation&>(op).remaining(remaining);
        for (std::size_t i = 0; i < count; ++i)
            made.add(remaining[i].data, remaining[i].size);
        return made;
    }
};

/// ConnectEx wants a socket that is bound. Success, or the code that says why it cannot be.
DWORD bind_anywhere(SOCKET handle, address::family family) noexcept {
    sockaddr_storage native = {};
    int size = sizeof native;
    if (::getsockname(handle, reinterpret_cast<sockaddr*>(&native), &size) == 0)
        return ERROR_SUCCESS;
    const bool v6 = family == address::family::v6;
    size = windows::to_native(v6 ? address::any_v6(0) : address::any_v4(0), &native);
    if (::bind(handle, reinterpret_cast<sockaddr*>(&native), size) == 0)
        return ERROR_SUCCESS;
    return ::GetLastError();
}

/// The address family of a listener; AF_UNSPEC if that cannot be told.
int domain_of(SOCKET listener) noexcept {
    WSAPROTOCOL_INFOW protocol = {};
    int size = sizeof protocol;
    if (::getsockopt(listener, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&protocol),
                     &size) != 0)
        return AF_UNSPEC;
    return protocol.iAddressFamily;
}

/// A socket made by AcceptEx or ConnectEx is a full one only after this.
bool update_context(SOCKET handle, int how, const SOCKET* from) noexcept {
    return ::setsockopt(handle, SOL_SOCKET, how, reinterpret_cast<const char*>(from),
                        from ? sizeof *from : 0) == 0;
}

} // namespace

iocp_backend::~iocp_backend() {
    if (port_)
        ::CloseHandle(port_);
}

bool iocp_backend::open(std::string& reason) {
    windows::start_winsock();
    port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
    if (!port_) {
        reason = "a completion port cannot be made: " + windows::last_error().message();
        return false;
    }
    return round_trip(reason) && find_functions(reason);
}

bool iocp_backend::round_trip(std::string& reason) noexcept {
    ULONG count = 0;
    if (::PostQueuedCompletionStatus(port_, 0, key_of_wake_up, nullptr) &&
        ::GetQueuedCompletionStatusEx(port_, packets_.data(), max_packets, &count, 0, FALSE) &&
        count == 1 && packets_[0].lpCompletionKey == key_of_wake_up)
        return true;
    reason = "a completion port does not give back what is posted to it";
    return false;
}

bool iocp_backend::find_functions(std::string& reason) noexcept {
    const windows::owned_socket probe(windows::open_stream(AF_INET, 0));
    if (probe.get() == INVALID_SOCKET) {
        reason = "no socket can be opened: " + windows::last_error().message();
        return false;
    }
    if (!windows::find_function(probe.get(), SIO_GET_EXTENSION_FUNCTION_POINTER, WSAID_ACCEPTEX,
                                "AcceptEx", &accept_, sizeof accept_, reason) ||
        !windows::find_function(probe.get(), SIO_GET_EXTENSION_FUNCTION_POINTER, WSAID_CONNECTEX,
                                "ConnectEx", &connect_, sizeof connect_, reason))
        return false;
    // A filter between Winsock and the system, if one is installed, sends packets all the same.
    WSAPROTOCOL_INFOW protocol = {};
    int size = sizeof protocol;
    answers_at_once_ = ::getsockopt(probe.get(), SOL_SOCKET, SO_PROTOCOL_INFOW,
                                    reinterpret_cast<char*>(&protocol), &size) == 0 &&
                       (protocol.dwServiceFlags1 & XP1_IFS_HANDLES);
    return true;
}

bool iocp_backend::associate(operation& op) noexcept {
    detail::descriptor& target = op.target();
    if (target.backend_flags[associated])
        return true;
    const HANDLE handle = handle_of(target);
    if (!::CreateIoCompletionPort(handle, port_, key_of_operations, 0)) {
        const std::error_code error = windows::last_error();
        if (domain_of(socket_of(op)) == AF_UNSPEC)
            op.fail(windows::last_error()); // it is no socket at all
        else if (error == std::errc::invalid_argument)
            refuse(op, "it has been used by another loop, and this system cannot take it away "
                       "from there");
        else
            op.fail(error);
        return false;
    }
    constexpr UCHAR wanted = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE;
    if (answers_at_once_ && !::SetFileCompletionNotificationModes(handle, wanted)) {
        op.fail(windows::last_error());
        return false;
    }
    target.backend_flags[associated] = true;
    return true;
}

bool iocp_backend::unregister(detail::descriptor& fd_state) noexcept {
    // One that is about to be closed takes its association with it.
    if (std::exchange(fd_state.backend_flags[associated], false) && !fd_state.closing)
        windows::leave_port(handle_of(fd_state));
    return true;
}

bool iocp_backend::submit(operation& op) noexcept {
    return associate(op) && start(op);
}

/// Starts an operation, and again for what is left as long as parts of it complete at once. False
/// if it is complete.
bool iocp_backend::start(operation& op) noexcept {
    for (;;) {
        const outcome answer = begin(op);
        if (answer.error == ERROR_IO_PENDING)
            return true;
        if (apply(op, answer))
            return false;
    }
}

bool iocp_backend::apply(operation& op, outcome answer) noexcept {
    if (op.code() == opcode::accept)
        answer = end_accept(static_cast<accept_operation&>(op), answer);
    else if (op.code() == opcode::connect)
        answer = end_connect(static_cast<connect_operation&>(op), answer);
    // As on the other systems, a shutdown ends the operation that is pending in that direction.
    if (answer.error == ERROR_OPERATION_ABORTED && !op.interrupted())
        answer.error = WSAESHUTDOWN;
    if (answer.error == WSAESHUTDOWN && op.inbound())
        answer = {ERROR_SUCCESS, 0};
    if (answer.error == ERROR_SUCCESS)
        return op.advance(answer.count);
    // Windows does not promise to tell how much of a cancelled write has gone out.
    if (is_write(op) && op.interrupted())
        op.target().write_cut_short = true;
    const bool cancelled = answer.error == ERROR_OPERATION_ABORTED && op.interrupted();
    op.fail(cancelled ? detail::cancelled_code() : windows::error_of(answer.error));
    return true;
}

/// What the call that started an operation has returned.
iocp_backend::outcome iocp_backend::outcome_of(bool done, DWORD count) const noexcept {
    if (!done)
        return {::GetLastError(), 0};
    if (!answers_at_once_)
        return {ERROR_IO_PENDING, 0};
    return {ERROR_SUCCESS, static_cast<std::int64_t>(count)};
}

iocp_backend::outcome iocp_backend::begin(operation& op) noexcept {
    auto* const overlapped = new (op.storage.bytes.data()) packet{};
    overlapped->of = &op;
    DWORD count = 0;
    DWORD flags = 0;
    switch (op.code()) {
    case opcode::accept:
        return begin_accept(static_cast<accept_operation&>(op), *overlapped);
    case opcode::connect:
        return begin_connect(static_cast<connect_operation&>(op), *overlapped);
    case opcode::wait_readable: // of no bytes
    case opcode::read:
    case opcode::try_read: // waits as well, but there is something
    case opcode::read_vector: {
        native_buffers into = native_buffers::of(op);
        const int answer = ::WSARecv(socket_of(op), into.parts.data(), into.count, &count, &flags,
                                     overlapped, nullptr);
        return outcome_of(answer == 0, count);
    }
    case opcode::write:
    case opcode::write_vector: {
        native_buffers from = native_buffers::of(op);
        const int answer =
            ::WSASend(socket_of(op), from.parts.data(), from.count, &count, 0, overlapped, nullptr);
        return outcome_of(answer == 0, count);
    }
    }
    return {ERROR_NOT_SUPPORTED, 0};
}

iocp_backend::outcome iocp_backend::begin_accept(accept_operation& started,
                                                 OVERLAPPED& overlapped) noexcept {
    auto* const answer = new (started.answer.bytes.data()) accept_answer{};
    answer->accepted =
        windows::open_stream(domain_of(socket_of(started)), flags_of_accepted_sockets());
    if (answer->accepted == INVALID_SOCKET)
        return {::GetLastError(), 0};
    DWORD count = 0;
    const bool done = accept_(socket_of(started), answer->accepted, answer->addresses.data(), 0,
                              address_bytes, address_bytes, &count, &overlapped);
    return outcome_of(done, count);
}

/// Gives the accepted socket, or closes it.
iocp_backend::outcome iocp_backend::end_accept(accept_operation& over, outcome answer) noexcept {
    windows::owned_socket accepted(answer_of(over).accepted);
    if (answer.error == WSAENOTCONN) // the connection has gone in the meantime, not the listener
        answer.error = WSAECONNABORTED;
    if (answer.error != ERROR_SUCCESS)
        return answer;
    const SOCKET listener = socket_of(over);
    if (!update_context(accepted.get(), SO_UPDATE_ACCEPT_CONTEXT, &listener))
        return {WSAECONNABORTED, 0}; // it is gone by now
    return {ERROR_SUCCESS, static_cast<std::int64_t>(accepted.release())};
}

iocp_backend::outcome iocp_backend::begin_connect(connect_operation& started,
                                                  OVERLAPPED& overlapped) noexcept {
    const SOCKET handle = socket_of(started);
    const DWORD failure = bind_anywhere(handle, started.peer().kind());
    if (failure != ERROR_SUCCESS)
        return {failure, 0};
    const int size = windows::to_native(started.peer(), started.scratch.data());
    DWORD count = 0;
    const bool done = connect_(handle, reinterpret_cast<const sockaddr*>(started.scratch.data()),
                               size, nullptr, 0, &count, &overlapped);
    return outcome_of(done, count);
}

iocp_backend::outcome iocp_backend::end_connect(connect_operation& over, outcome answer) noexcept {
    if (answer.error == ERROR_SUCCESS &&
        !update_context(socket_of(over), SO_UPDATE_CONNECT_CONTEXT, nullptr))
        return {::GetLastError(), 0};
    return answer;
}

void iocp_backend::cancel(operation& op) noexcept {
    // It fails with ERROR_NOT_FOUND if the packet is on its way already.
    auto* const overlapped = std::launder(reinterpret_cast<packet*>(op.storage.bytes.data()));
    ::CancelIoEx(handle_of(op.target()), overlapped);
}

void iocp_backend::on_shutdown(detail::descriptor& fd_state,
                               shutdown_direction direction) noexcept {
    if (fd_state.in.active && direction != shutdown_direction::write)
        cancel(*fd_state.in.active);
    if (fd_state.out.active && direction != shutdown_direction::read)
        cancel(*fd_state.out.active);
}

void iocp_backend::poll(time_point deadline) {
    DWORD limit_ms = INFINITE;
    if (deadline == time_point::min()) {
        limit_ms = 0;
    } else if (deadline != time_point::max()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
        limit_ms = static_cast<DWORD>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
    }
    ULONG count = 0;
    if (!::GetQueuedCompletionStatusEx(port_, packets_.data(), max_packets, &count, limit_ms,
                                       FALSE)) {
        if (::GetLastError() != WAIT_TIMEOUT)
            detail::fatal(fmt::format("cannot wait on a completion port: {}",
                                      windows::last_error().message()));
        return;
    }
    for (ULONG i = 0; i < count; ++i) {
        const OVERLAPPED_ENTRY& each = packets_[i];
        if (each.lpCompletionKey == key_of_operations) {
            auto& came = *static_cast<packet*>(each.lpOverlapped);
            complete(*came.of, came);
        } else if (each.lpCompletionKey != key_of_wake_up) {
            take_packet(each.lpCompletionKey);
        }
    }
}

void iocp_backend::complete(operation& op, OVERLAPPED& overlapped) noexcept {
    outcome answer;
    DWORD count = 0;
    DWORD flags = 0;
    if (!::WSAGetOverlappedResult(socket_of(op), &overlapped, &count, FALSE, &flags))
        answer.error = ::GetLastError();
    answer.count = static_cast<std::int64_t>(count);
    if (apply(op, answer) || !start(op))
        retire(op);
}

void iocp_backend::wake() noexcept {
    if (!::PostQueuedCompletionStatus(port_, 0, key_of_wake_up, nullptr))
        detail::fatal(fmt::format("cannot wake a loop: {}", windows::last_error().message()));
}

std::unique_ptr<backend> detail::make_iocp(const context_options&, std::string& reason) {
    auto made = std::make_unique<iocp_backend>();
    return made->open(reason) ? std::move(made) : nullptr;
}

} // namespace coracle
