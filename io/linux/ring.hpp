// SPDX-License-Identifier: MIT
//
// ring: an io_uring, made as good as this kernel and this user's limits allow. Knows requests and
// completions, not operations. Uses the public functions of liburing, never the fields of io_uring:
// what is in them differs by version. Private.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <liburing.h>
#include <span>
#include <string>
#include <vector>

namespace coracle::uring {

/// For what a kernel has no other way to tell. False if its version cannot be made out.
[[nodiscard]] bool kernel_is_at_least(int major, int minor) noexcept;

class ring {
public:
    ring() = default;
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring();

    /// Sets the ring up and tries it with a nop, since a container may allow io_uring_setup and
    /// refuse io_uring_enter. `wanted_entries` 0 is a default. False, with the reason, if it does
    /// not work.
    [[nodiscard]] bool open(unsigned wanted_entries, std::string& reason);

    /// The size that was to be had, if it is smaller than what was wanted; else 0.
    [[nodiscard]] unsigned reduced_to() const noexcept { return reduced_to_; }

    /// An SQE, or null if the queue is full: submit then.
    [[nodiscard]] io_uring_sqe* request() noexcept {
        io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
        if (sqe)
            unsubmitted_.push_back(sqe);
        return sqe;
    }

    /// Whether there are requests not yet given to the kernel.
    [[nodiscard]] bool has_unsubmitted() const noexcept { return !unsubmitted_.empty(); }

    /// Turns a request that was not submitted yet into a nop, whose completion has the user data 0.
    /// False if there is none.
    [[nodiscard]] bool withdraw(std::uint64_t user_data) noexcept;

    /// Submits the requests, and waits for `completions` of them, at most for `limit` (negative:
    /// for ever). With nothing to submit and nothing to wait for it enters the kernel only if that
    /// holds back completions. Returns 0 or a negative error number; an interrupted wait, one that
    /// is over, and a kernel that first wants its completions collected are none.
    int enter(unsigned completions, std::chrono::nanoseconds limit) noexcept;

    /// Calls `taken(user_data, answer, flags)` for each completion, then frees its CQE.
    template <class Function>
    void collect(Function taken) {
        unsigned head = 0;
        unsigned count = 0;
        io_uring_cqe* completion = nullptr;
        io_uring_for_each_cqe(&ring_, head, completion) {
            taken(completion->user_data, completion->res, completion->flags);
            ++count;
        }
        io_uring_cq_advance(&ring_, count);
    }

    /// Registers an empty table of so many buffers. Returns 0 or a negative error number.
    [[nodiscard]] int make_buffer_table(unsigned slots) noexcept;

    /// Puts a buffer into a slot of the table, or nothing, in place of what was there. Returns 0 or
    /// a negative error number.
    [[nodiscard]] int register_buffer(unsigned slot, std::span<std::byte> buffer) noexcept;

    /// Lets the kernel take buffers from a ring of them. 0 or a negative error number.
    [[nodiscard]] int provide_buffers(io_uring_buf_reg& buffers) noexcept {
        return io_uring_register_buf_ring(&ring_, &buffers, 0);
    }

    void withdraw_buffers(int group) noexcept { io_uring_unregister_buf_ring(&ring_, group); }

    [[nodiscard]] bool completions_waiting() const noexcept {
        return io_uring_cq_ready(&ring_) > 0;
    }

private:
    [[nodiscard]] int set_up(unsigned entries) noexcept;
    [[nodiscard]] int set_up_within_limits(unsigned entries) noexcept;
    [[nodiscard]] bool round_trip(std::string& reason);
    [[nodiscard]] int submit(unsigned completions, std::chrono::nanoseconds limit) noexcept;

    io_uring ring_ = {};
    io_uring_params parameters_ = {};
    std::vector<io_uring_sqe*> unsubmitted_; // has the capacity of the queue
    unsigned reduced_to_ = 0;
    bool open_ = false;
};

} // namespace coracle::uring
