// SPDX-License-Identifier: MIT
//
// readiness_backend: what the backends share whose kernel tells of readiness, and has each call
// made by the program. An operation makes its system call first and waits only if that would block,
// so a busy socket never meets the kernel's interface of waiting. Private.
//
// Invariants. A descriptor is registered once, for edges of both directions, when an operation
// first has to wait for it; what the kernel last said is remembered. An io_queue's active operation
// waits exactly while its direction is not ready. A short answer means that the direction is
// drained (unless the stream's end is near, which gives no further edge), and saves the call that
// would say so.
#pragma once

#include "../backend.hpp"
#include <chrono>
#include <ctime>
#include <system_error>

namespace coracle::detail {

class readiness_backend : public backend {
public:
    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    bool submit(operation& started) noexcept override;
    void cancel(operation& unwanted) noexcept override;
    bool unregister(descriptor& known) noexcept override;

protected:
    /// Whether a single call can be asked not to block, by a flag that the system heeds.
    enum class single_calls { can_refuse_to_block, may_block };

    explicit readiness_backend(single_calls kind) noexcept : single_calls_(kind) {}

    /// What an edge says. `ended`: a short answer does not mean empty any more.
    struct edge {
        bool readable;
        bool writable;
        bool ended;
    };

    /// Registers a descriptor for both directions. Brings an edge for what is ready by now.
    [[nodiscard]] virtual std::error_code watch(descriptor& watched) noexcept = 0;

    /// Ends being registered.
    virtual void unwatch(descriptor& watched) noexcept = 0;

    /// Notes what the kernel says of a descriptor, and goes on with what has waited for it.
    void note_edge(descriptor& target, edge seen) noexcept {
        target.hung_up = target.hung_up || seen.ended;
        target.readable = target.readable || seen.readable;
        target.writable = target.writable || seen.writable;
        // The first to retire may be the last operation of a socket that is gone, and take the
        // descriptor with it; but then there is no second one.
        operation* const in = target.in.active;
        operation* const out = target.out.active;
        if (in && target.readable)
            go_on(*in, target.readable);
        if (out && target.writable)
            go_on(*out, target.writable);
    }

private:
    [[nodiscard]] std::error_code prepare(const operation& started) const noexcept;
    void go_on(operation& waiting, bool& ready) noexcept;

    single_calls single_calls_;
};

/// A file descriptor that closes itself.
class owned_handle {
public:
    explicit owned_handle(int handle) noexcept : handle_(handle) {}

    owned_handle(const owned_handle&) = delete;
    owned_handle& operator=(const owned_handle&) = delete;
    ~owned_handle();

    [[nodiscard]] int get() const noexcept { return handle_; }

private:
    int handle_;
};

[[nodiscard]] timespec to_timespec(std::chrono::nanoseconds duration) noexcept;

} // namespace coracle::detail
