// SPDX-License-Identifier: MIT
//
// readiness_backend: what the backends share whose kernel tells of readiness, and has each call
// made by the program. An operation makes its system call first and waits only if that would block,
// so a busy socket never meets the kernel's interface of waiting. Private.
//
// Invariants. A descriptor is registered once, for edges of both directions, when an operation
// first has to wait for it; what the kernel last said is remembered. The active operation of an
// io_queue waits here exactly while its direction is blocked. A short answer means that the
// direction is drained (unless the stream's end is near, which gives no further edge), and saves
// the call that would say so.
#pragma once

#include "../backend.hpp"
#include <chrono>
#include <cstdint>
#include <ctime>
#include <system_error>
#include <utility>

namespace coracle::detail {

class readiness_backend : public backend {
public:
    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    bool submit(operation& op) noexcept override;
    void cancel(operation& op) noexcept override;
    bool unregister(descriptor& fd_state) noexcept override;

protected:
    /// Whether a single call can be asked not to block, by a flag that the system honours.
    enum class single_calls { can_refuse_to_block, may_block };

    explicit readiness_backend(single_calls kind) noexcept : single_calls_(kind) {}

    /// What an edge says. `ended`: a short answer does not mean empty any more.
    struct edge {
        bool readable;
        bool writable;
        bool ended;
    };

    /// Registers a descriptor for both directions. Brings an edge for what is ready by now.
    [[nodiscard]] virtual std::error_code watch(descriptor& fd_state) noexcept = 0;

    /// Ends being registered.
    virtual void unwatch(descriptor& fd_state) noexcept = 0;

    /// Notes what the kernel says of a descriptor, and goes on with what has waited for it.
    void note_edge(descriptor& target, edge seen) noexcept {
        auto& flags = target.backend_flags;
        flags[hung_up] = flags[hung_up] || seen.ended;
        // The first to retire may be the last operation of a socket that is gone, and take the
        // descriptor with it; but then there is no second one.
        operation* const in =
            seen.readable && std::exchange(flags[unreadable], false) ? target.in.active : nullptr;
        operation* const out =
            seen.writable && std::exchange(flags[unwritable], false) ? target.out.active : nullptr;
        if (in && progress(*in, flags[unreadable]))
            retire(*in);
        if (out && progress(*out, flags[unwritable]))
            retire(*out);
    }

private:
    /// Indices of the descriptor's `backend_flags`.
    enum flag : std::uint8_t {
        registered,
        unreadable, // the kernel has said so, or there is no edge yet
        unwritable,
        hung_up, // the end of the stream is near: a short read does not mean empty
    };

    [[nodiscard]] std::error_code prepare(const operation& op) const noexcept;
    [[nodiscard]] static bool progress(operation& op, bool& blocked) noexcept;

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
