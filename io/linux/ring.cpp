// SPDX-License-Identifier: MIT
#include "ring.hpp"

#include "../../runtime/thread_state.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace coracle::uring {

namespace {

using namespace std::chrono_literals;

constexpr unsigned default_entries = 256;
constexpr unsigned default_user_entries = 128; // its memory counts against a user's memlock limit
constexpr unsigned min_entries = 8;
constexpr unsigned max_entries = 32768; // the kernel's own limit
constexpr unsigned completions_per_request = 16;

std::string describe(const char* what, int number) {
    return fmt::format("{}: {}", what, std::strerror(number));
}

} // namespace

bool kernel_is_at_least(int major, int minor) noexcept {
    utsname system = {};
    std::array<int, 2> version = {};
    return ::uname(&system) == 0 &&
           std::sscanf(system.release, "%d.%d", &version[0], &version[1]) == 2 &&
           version >= std::array{major, minor};
}

ring::~ring() {
    if (open_)
        io_uring_queue_exit(&ring_);
}

bool ring::open(unsigned wanted_entries, std::string& reason) {
    const unsigned usual = ::geteuid() == 0 ? default_entries : default_user_entries;
    const unsigned wanted = wanted_entries ? wanted_entries : usual;
    const int failure = set_up_within_limits(std::clamp(wanted, min_entries, max_entries));
    if (failure != 0) {
        reason = describe("io_uring_setup failed", -failure);
        if (failure == -ENOMEM)
            reason += " (the limit of locked memory, ulimit -l, may be too small)";
        if (failure == -EINVAL)
            reason += " (Linux 6.1 or newer is needed)";
        return false;
    }
    open_ = true;
    unsubmitted_.reserve(parameters_.sq_entries);
    io_uring_register_ring_fd(&ring_); // saves a look-up at each entry; without it, all works too
#ifdef IORING_FEAT_NO_IOWAIT
    io_uring_set_iowait(&ring_, false); // an idle loop is not a processor that waits for a disk
#endif
    return round_trip(reason);
}

/// Halves the ring as long as the limit of locked memory refuses it. The memory of a ring that was
/// just closed still counts for some milliseconds: waits for that, but not within a running loop.
int ring::set_up_within_limits(unsigned entries) noexcept {
    for (unsigned size = entries; size >= min_entries; size /= 2) {
        const int failure = set_up(size);
        if (failure != -ENOMEM) {
            reduced_to_ = failure == 0 && size != entries ? size : 0;
            return failure;
        }
    }
    int failure = -ENOMEM;
    const int max_tries = detail::this_thread.loop ? 0 : 20;
    for (int tries = 0; failure == -ENOMEM && tries < max_tries; ++tries) {
        std::this_thread::sleep_for(10ms);
        failure = set_up(min_entries);
    }
    reduced_to_ = failure == 0 && entries != min_entries ? min_entries : 0;
    return failure;
}

/// These flags need Linux 6.1. Older kernels are not asked for less: they end a send that is
/// cancelled in its middle as if it had sent nothing.
int ring::set_up(unsigned entries) noexcept {
    parameters_ = {};
    parameters_.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                        IORING_SETUP_CLAMP;
    parameters_.cq_entries = entries * completions_per_request;
    return io_uring_queue_init_params(entries, &ring_, &parameters_);
}

/// One nop, submitted and completed. A wait that a signal interrupts is repeated.
bool ring::round_trip(std::string& reason) {
    io_uring_prep_nop(request());
    const auto given_up = std::chrono::steady_clock::now() + 1s;
    bool answered = false;
    while (!answered && std::chrono::steady_clock::now() < given_up) {
        const int failure = enter(1, 1s);
        if (failure != 0) {
            reason = describe("io_uring_enter failed", -failure);
            return false;
        }
        collect([&answered](std::uint64_t, int, unsigned) { answered = true; });
    }
    if (!answered)
        reason = "io_uring gave no answer to a request that does nothing";
    return answered;
}

bool ring::withdraw(std::uint64_t user_data) noexcept {
    for (io_uring_sqe* const sqe : unsubmitted_) {
        if (sqe->user_data == user_data) {
            *sqe = {}; // prep_nop of newer liburings leaves what get_sqe has cleared
            io_uring_prep_nop(sqe);
            return true;
        }
    }
    return false;
}

int ring::make_buffer_table(unsigned slots) noexcept {
    return io_uring_register_buffers_sparse(&ring_, slots);
}

int ring::register_buffer(unsigned slot, std::span<std::byte> buffer) noexcept {
    const iovec place = {buffer.data(), buffer.size()};
    const __u64 tag = 0; // no completion wanted when the kernel is done with the buffer before
    const int updated = io_uring_register_buffers_update_tag(&ring_, slot, &place, &tag, 1);
    return std::min(updated, 0);
}

int ring::submit(unsigned completions, std::chrono::nanoseconds limit) noexcept {
    if (completions == 0)
        return has_unsubmitted() ? io_uring_submit_and_get_events(&ring_) : io_uring_submit(&ring_);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
    __kernel_timespec time = {};
    time.tv_sec = seconds.count();
    time.tv_nsec = (limit - seconds).count();
    io_uring_cqe* first = nullptr;
    return io_uring_submit_and_wait_timeout(&ring_, &first, completions,
                                            limit >= 0ns ? &time : nullptr, nullptr);
}

int ring::enter(unsigned completions, std::chrono::nanoseconds limit) noexcept {
    const int answer = submit(completions, limit);
    unsubmitted_.erase(unsubmitted_.begin(), unsubmitted_.end() - io_uring_sq_ready(&ring_));
    if (answer >= 0 || answer == -ETIME || answer == -EINTR || answer == -EAGAIN ||
        answer == -EBUSY)
        return 0;
    return answer;
}

} // namespace coracle::uring
