// SPDX-License-Identifier: MIT
//
// io_uring: completions. Operations become requests (uring_requests); an iteration gives all of
// them to the kernel and waits for completions in one entry, collects everything that has come, and
// only then is anything resumed. One request for all that a socket brings is in uring_multishot.
//
// A read of a socket that has been read from before is not given to the kernel before there is
// something to read: one poll, made once, tells that of every arrival, where a read that has to
// wait makes and removes a poll of its own each time. A read that comes too early all the same is
// told so at once, and waits for the poll.
//
// Invariants. An operation stays until its completion has been collected, cancelled or not. What
// finds the queue full waits in the backlog; cancels go before it, so that they get through
// whatever else is going on. No cancel finds a request while the kernel moves it between its poll
// and a worker (ENOENT): so a cancelled operation is cancelled again until it has completed.
#include "uring.hpp"

#include "../../memory/fatal.hpp"
#include "../../runtime/diagnostics/warning.hpp"
#include "../context.hpp"
#include "../posix/calls.hpp"
#include "fixed_buffers.hpp"
#include "ring.hpp"
#include "uring_multishot.hpp"
#include "uring_requests.hpp"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <span>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace coracle {

namespace {

using uring::no_timeout;

class uring_backend final : public backend, detail::submission_batch {
public:
    uring_backend() noexcept {
        capabilities_.registrar = &buffers_;
        capabilities_.multishot = &multishots_;
        capabilities_.batch = this;
    }

    ~uring_backend() override;

    [[nodiscard]] bool open(const context_options& options, std::string& reason);

    std::string_view name() const noexcept override { return "io_uring"; }

    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override;
    void wake() noexcept override;
    bool submit(operation& op) noexcept override;
    void cancel(operation& op) noexcept override;
    bool unregister(detail::descriptor& fd_state) noexcept override;

private:
    void flush() noexcept override;
    void submit_now(operation& op) noexcept;
    [[nodiscard]] bool request(operation& op) noexcept;
    [[nodiscard]] bool waits_for_poll(const operation& op) noexcept;
    void request_poll(detail::descriptor& fd_state) noexcept;
    void request_wake() noexcept;
    bool request_backlog() noexcept;
    void request_cancel(operation& op) noexcept;
    void repeat_cancels() noexcept;
    void collect() noexcept;
    void complete(operation& op, int answer) noexcept;
    void complete_poll(detail::descriptor& fd_state, int answer, unsigned flags) noexcept;
    void complete_multishot(detail::descriptor& fd_state, int answer, unsigned flags) noexcept;

    uring::ring ring_;
    uring::requests requests_{ring_};
    uring::multishots multishots_{ring_, requests_};
    uring::fixed_buffers buffers_{ring_};
    detail::operation_queue backlog_;   // operations without a request yet
    detail::operation_queue cancelled_; // operations that the kernel has and is to end
    int wake_handle_ = -1;              // an eventfd
    std::uint64_t wake_count_ = 0;      // what the kernel reads from it
    bool wake_requested_ = false;       // the kernel may write to wake_count_
    bool unregister_pending_ = false;   // the queue was full when a poll was to be unregistered
    bool cancel_again_ = false;         // the queue was full, or a cancel has found nothing
    bool end_again_ = false;            // the same for multishots
};

bool uring_backend::open(const context_options& options, std::string& reason) {
    wake_handle_ = ::eventfd(0, EFD_CLOEXEC);
    if (wake_handle_ < 0) {
        reason = fmt::format("eventfd failed: {}", std::strerror(errno));
        return false;
    }
    if (!ring_.open(options.ring_entries, reason))
        return false;
    if (!multishots_.open(reason))
        return false;
    if (ring_.reduced_to() != 0)
        warning(fmt::format("io_uring: the limit of locked memory (ulimit -l) allows a ring "
                            "of {} entries only",
                            ring_.reduced_to()));
    return true;
}

uring_backend::~uring_backend() {
    // Closing a ring does not stop the kernel from writing: what is under way must end first.
    if (wake_requested_) {
        while (!requests_.prep_cancel(uring::wake_up))
            requests_.enter(0, no_timeout);
        while (wake_requested_) {
            requests_.enter(1, no_timeout);
            collect();
        }
    }
    if (wake_handle_ >= 0)
        ::close(wake_handle_);
}

bool uring_backend::submit(operation& op) noexcept {
    const detail::descriptor& target = op.target();
    const bool made_non_blocking =
        target.non_blocking && target.blocking_changed && !target.original_non_blocking;
    if (made_non_blocking && !uring::make_blocking(op))
        return false;
    if (uring::multishots::concern(op) && uring::multishots::serve(op))
        return false;
    submit_now(op);
    return true;
}

/// Has the kernel do it, now or when the queue is not full or, for a read, there is something to
/// read.
void uring_backend::submit_now(operation& op) noexcept {
    if (uring::is_read(op) && waits_for_poll(op))
        op.target().backend_flags[uring::read_parked] = true;
    else if (!backlog_.empty() || !request(op))
        backlog_.push(op);
}

/// Whether a read had better wait until the poll of its socket says that there is something. Only a
/// socket that is read from again is worth a poll.
bool uring_backend::waits_for_poll(const operation& op) noexcept {
    if (uring::multishots::concern(op) && multishots_.handles(op))
        return false;
    auto& flags = op.target().backend_flags;
    if (flags[uring::poll_armed])
        return flags[uring::unreadable] && !flags[uring::hung_up];
    if (std::exchange(flags[uring::read_before], true))
        request_poll(op.target());
    return false;
}

void uring_backend::request_poll(detail::descriptor& fd_state) noexcept {
    if (!requests_.prep_poll(fd_state))
        return;
    fd_state.backend_flags[uring::poll_armed] = true;
    fd_state.backend_flags[uring::unreadable] = false; // until a read finds less than it asked for
}

/// False if the queue was full.
bool uring_backend::request(operation& op) noexcept {
    if (uring::multishots::concern(op) && multishots_.handles(op))
        return multishots_.park(op);
    return requests_.prep(op);
}

void uring_backend::cancel(operation& op) noexcept {
    bool& read_parked = op.target().backend_flags[uring::read_parked];
    const bool parked =
        uring::multishots::unpark(op) || (uring::is_read(op) && std::exchange(read_parked, false));
    // What the kernel does not know of is over at once, and leaves the socket as it is.
    if (parked || backlog_.remove(op) || ring_.withdraw(uring::to_user_data(op))) {
        op.fail(detail::cancelled_code());
        retire(op);
    } else {
        request_cancel(op);
    }
}

void uring_backend::request_cancel(operation& op) noexcept {
    cancelled_.push(op);
    if (!cancel_again_)
        cancel_again_ = !requests_.prep_cancel(uring::to_user_data(op), uring::operation_cancel);
}

void uring_backend::repeat_cancels() noexcept {
    cancel_again_ = false;
    detail::operation_queue uncompleted = std::exchange(cancelled_, {});
    while (operation* const op = uncompleted.pop())
        request_cancel(*op);
}

/// As long as the kernel has a poll or a multishot of it the socket is there, whatever becomes of
/// its handle.
bool uring_backend::unregister(detail::descriptor& fd_state) noexcept {
    auto& flags = fd_state.backend_flags;
    const bool over = multishots_.unregister(fd_state, unregister_pending_);
    if (!flags[uring::poll_armed]) {
        if (over)
            flags = {};
        return over;
    }
    if (!std::exchange(flags[uring::unregistering], true) &&
        !requests_.prep_cancel(uring::to_poll_data(fd_state))) {
        flags[uring::unregistering] = false;
        unregister_pending_ = true;
    }
    return false;
}

void uring_backend::flush() noexcept {
    static_cast<void>(request_backlog());
    if (ring_.has_unsubmitted())
        requests_.enter(0, no_timeout);
}

void uring_backend::request_wake() noexcept {
    if (!wake_requested_)
        wake_requested_ = requests_.prep_wake_up(
            wake_handle_, std::as_writable_bytes(std::span(&wake_count_, 1)));
}

/// Asks again for what found the queue full. True if that has ended something: then there may be
/// nothing to sleep for.
bool uring_backend::request_backlog() noexcept {
    bool ended = false;
    if (std::exchange(unregister_pending_, false)) {
        retry_closing();
        ended = true;
    }
    if (std::exchange(end_again_, false))
        for_each_descriptor([this](const detail::descriptor& each) {
            end_again_ = !multishots_.end_again(each) || end_again_;
        });
    if (cancel_again_)
        repeat_cancels();
    if (cancel_again_)
        return ended;
    while (operation* const op = backlog_.pop()) {
        if (uring::multishots::concern(*op) &&
            uring::multishots::serve(*op)) { // it came while the queue was full
            retire(*op);
            ended = true;
        } else if (!request(*op)) {
            backlog_.push_front(*op);
            return ended;
        }
    }
    return ended;
}

void uring_backend::poll(time_point deadline) {
    multishots_.feed();
    if (request_backlog())
        deadline = time_point::min();
    request_wake();
    const bool nothing_held_back =
        backlog_.empty() && !cancel_again_ && !end_again_ && wake_requested_;
    if (deadline != time_point::min() && nothing_held_back && !ring_.completions_waiting()) {
        const bool limited = deadline != time_point::max();
        requests_.enter(1,
                        limited ? std::max(deadline - now(), time_point::duration(0)) : no_timeout);
    } else {
        requests_.enter(0, no_timeout);
    }
    collect();
}

void uring_backend::collect() noexcept {
    ring_.collect([this](std::uint64_t whose, int answer, unsigned flags) {
        if (whose == uring::ignored)
            return;
        if (whose == uring::wake_up)
            wake_requested_ = false;
        else if (whose == uring::operation_cancel)
            cancel_again_ = cancel_again_ || answer < 0;
        else if (whose == uring::multishot_cancel)
            end_again_ = end_again_ || answer < 0;
        else if (whose & uring::poll_mark)
            complete_poll(uring::from_user_data<detail::descriptor>(whose), answer, flags);
        else if (whose & uring::multishot_mark)
            complete_multishot(uring::from_user_data<detail::descriptor>(whose), answer, flags);
        else
            complete(uring::from_user_data<operation>(whose), answer);
    });
}

void uring_backend::complete_poll(detail::descriptor& fd_state, int answer,
                                  unsigned flags) noexcept {
    const detail::descriptor_ref kept(&fd_state);
    auto& poll_flags = fd_state.backend_flags;
    poll_flags[uring::unreadable] = false;
    if (answer > 0 && (answer & (POLLRDHUP | POLLHUP | POLLERR)))
        poll_flags[uring::hung_up] = true;
    if (std::exchange(poll_flags[uring::read_parked], false))
        backlog_.push(*fd_state.in.active);
    if (flags & IORING_CQE_F_MORE)
        return;
    poll_flags[uring::poll_armed] = false;
    poll_flags[uring::unregistering] = false;
    on_unregistered(fd_state);
}

void uring_backend::complete(operation& op, int answer) noexcept {
    cancelled_.remove(op);
    auto& flags = op.target().backend_flags;
    if (answer == -EINTR || (answer == -EAGAIN && op.code() != opcode::try_read)) {
        const bool wait_for_poll = answer == -EAGAIN && uring::wait_flags(op) != 0;
        if (wait_for_poll)
            flags[uring::unreadable] = true; // until the poll reports readiness
        if (op.interrupted())
            op.fail(detail::cancelled_code());
        else if (wait_for_poll || answer == -EINTR || uring::make_blocking(op))
            return submit_now(op);
    } else if (answer < 0) {
        op.fail(posix::error_of(-answer));
    } else {
        if (op.code() == opcode::read && flags[uring::poll_armed]) {
            const auto& read = static_cast<const transfer_operation&>(op);
            flags[uring::unreadable] = static_cast<std::size_t>(answer) != read.size();
        }
        if (!op.advance(answer))
            return submit_now(op);
    }
    retire(op);
}

void uring_backend::complete_multishot(detail::descriptor& fd_state, int answer,
                                       unsigned flags) noexcept {
    const detail::descriptor_ref kept(&fd_state);
    switch (multishots_.complete(fd_state, answer, flags)) {
    case uring::completion_action::nothing:
        break;
    case uring::completion_action::retire:
        retire(*fd_state.in.active);
        break;
    case uring::completion_action::resubmit:
        submit_now(*fd_state.in.active);
        break;
    }
    if (!(flags & IORING_CQE_F_MORE))
        on_unregistered(fd_state);
}

void uring_backend::wake() noexcept {
    const std::uint64_t one = 1;
    while (::write(wake_handle_, &one, sizeof one) < 0) {
        if (errno != EINTR)
            detail::fatal(fmt::format("cannot wake a loop: {}", std::strerror(errno)));
    }
}

} // namespace

std::unique_ptr<backend> detail::make_uring(const context_options& options, std::string& reason) {
    auto made = std::make_unique<uring_backend>();
    return made->open(options, reason) ? std::move(made) : nullptr;
}

} // namespace coracle
