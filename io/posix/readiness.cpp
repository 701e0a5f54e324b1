// SPDX-License-Identifier: MIT
#include "readiness.hpp"

#include "calls.hpp"
#include "differences.hpp"
#include <unistd.h>

namespace coracle::detail {

namespace {

/// The readiness that an operation depends on.
bool& readiness_of(const operation& waiting) noexcept {
    descriptor& target = waiting.target();
    return waiting.inbound() ? target.readable : target.writable;
}

/// Does what can be done, and notes what is then known of the socket. True if that was all of it.
bool progress(operation& tried, bool& ready) noexcept {
    const posix::attempt_result answer = posix::attempt(tried);
    const descriptor& target = tried.target();
    const bool drained = answer == posix::attempt_result::partial && !target.hung_up;
    if (target.registered && (drained || answer == posix::attempt_result::blocked))
        ready = false;
    return answer != posix::attempt_result::blocked;
}

} // namespace

bool readiness_backend::submit(operation& started) noexcept {
    descriptor& target = started.target();
    if (!target.non_blocking) {
        if (const std::error_code error = prepare(started)) {
            started.fail(error);
            return false;
        }
    }
    bool& ready = readiness_of(started);
    if (ready && progress(started, ready))
        return false;
    if (!target.registered) {
        if (const std::error_code error = watch(target)) {
            started.fail(error);
            return false;
        }
        target.registered = true;
        ready = false; // registering brings an edge for what is ready by now
    }
    return true;
}

/// Keeps the calls for a descriptor from blocking, where a flag of the single call cannot.
std::error_code readiness_backend::prepare(const operation& started) const noexcept {
    const bool has_flag = started.code() != opcode::accept && started.code() != opcode::connect;
    if (has_flag && single_calls_ == single_calls::can_refuse_to_block)
        return {};
    descriptor& target = started.target();
    const std::error_code error = posix::set_blocking(static_cast<int>(target.handle), false);
    if (error)
        return error;
    posix::never_signal(static_cast<int>(target.handle));
    target.non_blocking = true;
    return {};
}

void readiness_backend::cancel(operation& unwanted) noexcept {
    // Nobody but this backend works on it, so it is over at once.
    unwanted.fail(cancelled_code());
    retire(unwanted);
}

bool readiness_backend::unregister(descriptor& known) noexcept {
    if (!known.registered)
        return true;
    unwatch(known);
    known.registered = false;
    known.readable = true;
    known.writable = true;
    known.hung_up = false;
    return true;
}

void readiness_backend::go_on(operation& waiting, bool& ready) noexcept {
    // One that waits for a buffer goes on when it has got that.
    if (!waiting.starved() && progress(waiting, ready))
        retire(waiting);
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
