// SPDX-License-Identifier: MIT
//
// io_uring: completions. Operations become requests; a turn gives all of them to the kernel and
// waits for completions in one entry, collects everything that has come, and only then is anything
// resumed.
//
// Invariants. A request carries its operation's address, so an operation stays until its completion
// has been collected, cancelled or not. What finds the queue full waits in the backlog; a cancel
// has a backlog of its own that goes first, so that it gets through whatever else is going on.
#include "uring.hpp"

#include "../../memory/fatal.hpp"
#include "../../runtime/notice.hpp"
#include "../context.hpp"
#include "posix.hpp"
#include "ring.hpp"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coracle {

namespace {

// What a completion belongs to, if it is not an operation, whose address is never so small.
constexpr std::uint64_t nobody = 0;
constexpr std::uint64_t wake_up = 1;

class uring_backend final : public backend {
public:
    uring_backend() = default;
    ~uring_backend() override;

    [[nodiscard]] bool open(const context_options& options, std::string& reason);

    std::string_view name() const noexcept override { return "io_uring"; }

    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override;
    void wake() noexcept override;
    bool submit(operation& started) noexcept override;
    void cancel(operation& unwanted) noexcept override;

private:
    [[nodiscard]] io_uring_sqe* request() noexcept;
    [[nodiscard]] bool request(operation& started) noexcept;
    [[nodiscard]] static bool make_blocking(operation& started) noexcept;
    [[nodiscard]] bool request_cancel(std::uint64_t of) noexcept;
    void request_wake() noexcept;
    void request_backlog() noexcept;
    void enter(unsigned completions, std::chrono::nanoseconds limit) noexcept;
    void collect() noexcept;
    void take(operation& answered, int answer) noexcept;

    uring::ring ring_;
    detail::operation_queue backlog_;  // operations without a request yet
    detail::operation_queue unwanted_; // to be cancelled, without a request for that yet
    int wake_handle_ = -1;             // an eventfd
    std::uint64_t wake_count_ = 0;     // what the kernel reads from it
    bool wake_requested_ = false;      // the kernel may write to wake_count_
};

constexpr std::chrono::nanoseconds for_ever(-1);

bool uring_backend::open(const context_options& options, std::string& reason) {
    wake_handle_ = ::eventfd(0, EFD_CLOEXEC);
    if (wake_handle_ < 0) {
        reason = fmt::format("eventfd failed: {}", std::strerror(errno));
        return false;
    }
    if (!ring_.open(options.ring_entries, reason))
        return false;
    if (ring_.reduced_to() != 0)
        notice(
            fmt::format("io_uring: the limit of locked memory (ulimit -l) leaves room for a ring "
                        "of {} entries only",
                        ring_.reduced_to()));
    return true;
}

uring_backend::~uring_backend() {
    // Closing a ring does not stop the kernel from writing: what is under way must end first.
    if (wake_requested_) {
        while (!request_cancel(wake_up))
            enter(0, for_ever);
        while (wake_requested_) {
            enter(1, for_ever);
            collect();
        }
    }
    if (wake_handle_ >= 0)
        ::close(wake_handle_);
}

/// Room for a request: at once, or after the queue has been given to the kernel.
io_uring_sqe* uring_backend::request() noexcept {
    io_uring_sqe* free = ring_.request();
    if (!free) {
        enter(0, for_ever);
        free = ring_.request();
    }
    return free;
}

bool uring_backend::submit(operation& started) noexcept {
    if (started.target().non_blocking && !make_blocking(started))
        return false;
    if (!backlog_.empty() || !request(started))
        backlog_.push(started);
    return true;
}

/// io_uring waits by itself, but only for a socket that may block. Another backend, or whoever
/// opened it, may have made it one that does not. False, and failed, if that cannot be undone.
bool uring_backend::make_blocking(operation& started) noexcept {
    try {
        posix::set_blocking(static_cast<int>(started.target().handle), true);
    } catch (const std::system_error& error) {
        started.fail(error.code());
        return false;
    }
    started.target().non_blocking = false;
    return true;
}

bool uring_backend::request(operation& started) noexcept {
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return false;
    const int handle = static_cast<int>(started.target().handle);
    switch (started.code()) {
    case opcode::accept:
        io_uring_prep_accept(sqe, handle, nullptr, nullptr, SOCK_CLOEXEC);
        break;
    case opcode::connect: {
        auto& connecting = static_cast<connect_operation&>(started);
        const socklen_t size = posix::to_native(connecting.peer(), connecting.scratch.data());
        io_uring_prep_connect(sqe, handle,
                              reinterpret_cast<const sockaddr*>(connecting.scratch.data()), size);
        break;
    }
    case opcode::read: {
        auto& read = static_cast<transfer_operation&>(started);
        io_uring_prep_recv(sqe, handle, read.data(), std::min(read.size(), posix::most_bytes), 0);
        break;
    }
    case opcode::write: {
        auto& write = static_cast<transfer_operation&>(started);
        io_uring_prep_send(sqe, handle, write.data(), std::min(write.size(), posix::most_bytes),
                           MSG_NOSIGNAL | MSG_WAITALL);
        break;
    }
    case opcode::read_vector:
        io_uring_prep_recvmsg(sqe, handle,
                              &posix::message_of(static_cast<vector_operation&>(started)), 0);
        break;
    case opcode::write_vector:
        io_uring_prep_sendmsg(sqe, handle,
                              &posix::message_of(static_cast<vector_operation&>(started)),
                              MSG_NOSIGNAL | MSG_WAITALL);
        break;
    }
    io_uring_sqe_set_data(sqe, &started);
    return true;
}

void uring_backend::cancel(operation& unwanted) noexcept {
    if (backlog_.remove(unwanted)) {
        unwanted.fail(detail::cancelled_code());
        retire(unwanted);
        return;
    }
    if (!unwanted_.empty() || !request_cancel(reinterpret_cast<std::uintptr_t>(&unwanted)))
        unwanted_.push(unwanted);
}

bool uring_backend::request_cancel(std::uint64_t of) noexcept {
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return false;
    io_uring_prep_cancel64(sqe, of, 0);
    io_uring_sqe_set_data64(sqe, nobody);
    return true;
}

void uring_backend::request_wake() noexcept {
    if (wake_requested_)
        return;
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return;
    io_uring_prep_read(sqe, wake_handle_, &wake_count_, sizeof wake_count_, 0);
    io_uring_sqe_set_data64(sqe, wake_up);
    wake_requested_ = true;
}

void uring_backend::request_backlog() noexcept {
    while (operation* const unwanted = unwanted_.pop()) {
        if (!request_cancel(reinterpret_cast<std::uintptr_t>(unwanted))) {
            unwanted_.push(*unwanted);
            return;
        }
    }
    while (operation* const waiting = backlog_.pop()) {
        if (!request(*waiting)) {
            backlog_.push_front(*waiting);
            return;
        }
    }
}

void uring_backend::poll(time_point deadline) {
    request_backlog();
    request_wake();
    const bool nothing_held_back = backlog_.empty() && unwanted_.empty() && wake_requested_;
    if (deadline != time_point::min() && nothing_held_back && !ring_.completions_waiting()) {
        const bool limited = deadline != time_point::max();
        enter(1, limited ? std::max(deadline - now(), time_point::duration(0)) : for_ever);
    } else if (ring_.unsubmitted() > 0 || ring_.needs_enter()) {
        enter(0, for_ever);
    }
    collect();
}

void uring_backend::enter(unsigned completions, std::chrono::nanoseconds limit) noexcept {
    const int failure = ring_.enter(completions, limit);
    if (failure != 0)
        detail::fatal(fmt::format("io_uring_enter failed: {}", std::strerror(-failure)));
}

void uring_backend::collect() noexcept {
    ring_.collect([this](std::uint64_t whose, int answer, unsigned) {
        if (whose == nobody)
            return;
        if (whose == wake_up)
            wake_requested_ = false;
        else
            take(*reinterpret_cast<operation*>(static_cast<std::uintptr_t>(whose)), answer);
    });
}

void uring_backend::take(operation& answered, int answer) noexcept {
    if (!unwanted_.empty())
        unwanted_.remove(answered);
    if (answer == -EINTR || answer == -EAGAIN) {
        if (answered.interrupted())
            answered.fail(detail::cancelled_code());
        else if (answer == -EINTR || make_blocking(answered))
            return backlog_.push(answered);
    } else if (answer < 0) {
        answered.fail(posix::error_of(-answer));
    } else if (!answered.advance(answer)) {
        return backlog_.push(answered);
    }
    retire(answered);
}

void uring_backend::wake() noexcept {
    const std::uint64_t one = 1;
    if (::write(wake_handle_, &one, sizeof one) < 0)
        detail::fatal(fmt::format("cannot wake a loop: {}", std::strerror(errno)));
}

} // namespace

std::unique_ptr<backend> detail::make_uring(const context_options& options, std::string& reason) {
    auto made = std::make_unique<uring_backend>();
    return made->open(options, reason) ? std::move(made) : nullptr;
}

} // namespace coracle
