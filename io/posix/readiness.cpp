// SPDX-License-Identifier: MIT
#include "readiness.hpp"

#include "calls.hpp"
#include "differences.hpp"
#include <unistd.h>

namespace coracle::detail {

bool readiness_backend::submit(operation& op) noexcept {
    descriptor& target = op.target();
    if (!target.non_blocking) {
        if (const std::error_code error = prepare(op)) {
            op.fail(error);
            return false;
        }
    }
    bool& blocked = target.backend_flags[op.inbound() ? unreadable : unwritable];
    if (!blocked && progress(op, blocked))
        return false;
    if (!target.backend_flags[registered]) {
        if (const std::error_code error = watch(target)) {
            op.fail(error);
            return false;
        }
        target.backend_flags[registered] = true;
        blocked = true; // registering brings an edge for what is ready by now
    }
    return true;
}

/// Does what can be done, and notes what is then known of the socket. True if that was all of it.
bool readiness_backend::progress(operation& op, bool& blocked) noexcept {
    const auto& flags = op.target().backend_flags;
    if (op.code() == opcode::wait_readable)
        return flags[registered]; // else nothing is known
    const posix::attempt_result answer = posix::attempt(op);
    const bool drained = answer == posix::attempt_result::partial && !flags[hung_up];
    const bool would_block = answer == posix::attempt_result::blocked;
    if (flags[registered] && (drained || would_block))
        blocked = true;
    if (would_block && op.code() == opcode::try_read) {
        op.fail(std::make_error_code(std::errc::resource_unavailable_try_again));
        return true;
    }
    return !would_block;
}

/// Keeps the calls for a descriptor from blocking, where a flag of the single call cannot.
std::error_code readiness_backend::prepare(const operation& op) const noexcept {
    const bool has_flag = op.code() != opcode::accept && op.code() != opcode::connect;
    if (has_flag && single_calls_ == single_calls::can_refuse_to_block)
        return {};
    descriptor& target = op.target();
    const std::error_code error = posix::set_blocking(target, false);
    if (!error)
        posix::never_signal(static_cast<int>(target.handle));
    return error;
}

void readiness_backend::cancel(operation& op) noexcept {
    // Nobody but this backend works on it, so it is over at once.
    op.fail(cancelled_code());
    retire(op);
}

bool readiness_backend::unregister(descriptor& fd_state) noexcept {
    if (fd_state.backend_flags[registered])
        unwatch(fd_state);
    fd_state.backend_flags = {};
    return true;
}

owned_handle::~owned_handle() {
    if (handle_ >= 0)
        ::close(handle_);
}

timespec to_timespec(std::chrono::nanoseconds duration) noexcept {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    timespec value = {};
    value.tv_sec = seconds.count();
    value.tv_nsec = (duration - seconds).count();
    return value;
}

} // namespace coracle::detail
