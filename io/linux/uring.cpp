// SPDX-License-Identifier: MIT
//
// io_uring: completions. Operations become requests (uring_requests); an iteration gives all of
// them to the kernel and waits for completions in one entry, collects everything that has come, and
// only then is anything resumed. What goes on and on, one request for all that a socket brings, is
// in uring_multishot.
//
// A read of a socket that has been read from before is not given to the kernel before there is
// something to read: one poll, made once, tells that of every arrival, where a read that has to
// wait makes and removes a poll of its own each time. A read that comes too early all the same is
// told so at once, and waits for the poll.
//
// Invariants. An operation stays until its completion has been collected, cancelled or not. What
// finds the queue full waits in the backlog; a cancel has a backlog of its own that goes first, so
// that it gets through whatever else is going on.
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

class uring_backend final : public backend {
public:
    uring_backend() = default;
    ~uring_backend() override;

    [[nodiscard]] bool open(const context_options& options, std::string& reason);

    std::string_view name() const noexcept override { return "io_uring"; }

    buffer_registrar* registrar() noexcept override { return &buffers_; }

    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override;
    void wake() noexcept override;
    bool submit(operation& started) noexcept override;
    void cancel(operation& unwanted) noexcept override;
    bool unregister(detail::descriptor& known) noexcept override;
    void unregister_now(detail::descriptor& known) noexcept override;
    void disarm(detail::descriptor& unwanted) noexcept override;
    void flush() noexcept override;
    void finish_closing() noexcept override;
    void return_buffers() noexcept override;

private:
    void submit_now(operation& started) noexcept;
    [[nodiscard]] bool request(operation& started) noexcept;
    [[nodiscard]] bool waits_for_poll(const operation& read) noexcept;
    void request_poll(detail::descriptor& polled) noexcept;
    void request_wake() noexcept;
    void request_backlog() noexcept;
    void collect() noexcept;
    void complete(operation& answered, int answer) noexcept;
    void complete_poll(detail::descriptor& polled, int answer, unsigned flags) noexcept;
    void complete_multishot(detail::descriptor& armed, int answer, unsigned flags) noexcept;

    uring::ring ring_;
    uring::requests requests_{ring_};
    uring::multishots multishots_{ring_, requests_};
    uring::fixed_buffers buffers_{ring_};
    detail::operation_queue backlog_;  // operations without a request yet
    detail::operation_queue unwanted_; // to be cancelled, without a request for that yet
    int wake_handle_ = -1;             // an eventfd
    std::uint64_t wake_count_ = 0;     // what the kernel reads from it
    bool wake_requested_ = false;      // the kernel may write to wake_count_
    bool has_poll_ = true;             // since Linux 5.13; before, reads wait in the kernel
    bool unregister_pending_ = false;  // there was no room to ask the kernel to unregister a poll
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
        warning(
            fmt::format("io_uring: the limit of locked memory (ulimit -l) leaves room for a ring "
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

bool uring_backend::submit(operation& started) noexcept {
    if (started.target().non_blocking && !uring::make_blocking(started))
        return false;
    if (started.inbound() && started.target().shots && uring::multishots::take_untaken(started))
        return false;
    submit_now(started);
    return true;
}

/// Has the kernel do it, now or when there is room or, for a read, something to read.
void uring_backend::submit_now(operation& started) noexcept {
    if (uring::is_read(started) && waits_for_poll(started))
        started.target().read_parked = true;
    else if (!backlog_.empty() || !request(started))
        backlog_.push(started);
}

/// Whether a read had better wait until the poll of its socket says that there is something. Only a
/// socket that is read from again is worth a poll.
bool uring_backend::waits_for_poll(const operation& read) noexcept {
    detail::descriptor& target = read.target();
    if (target.shots && target.shots->was_armed && !target.shots->connections)
        return false; // there are bytes, or it had waited for those
    if (target.registered)
        return !target.readable && !target.hung_up;
    if (std::exchange(target.read_before, true))
        request_poll(target);
    return false;
}

void uring_backend::request_poll(detail::descriptor& polled) noexcept {
    if (!has_poll_ || !requests_.prep_poll(polled))
        return;
    polled.registered = true;
    polled.readable = true; // until a read finds less than it asked for
}

/// False if there was no room.
bool uring_backend::request(operation& started) noexcept {
    return multishots_.has_to_park(started) ? multishots_.park(started) : requests_.ask(started);
}

void uring_backend::cancel(operation& unwanted) noexcept {
    detail::descriptor& target = unwanted.target();
    bool parked = uring::is_read(unwanted) && std::exchange(target.read_parked, false);
    if (unwanted.inbound() && target.shots)
        parked = std::exchange(target.shots->parked, false) || parked;
    // What the kernel does not know of is over at once, and leaves the socket as it is.
    if (parked || backlog_.remove(unwanted) || ring_.withdraw(uring::to_user_data(unwanted))) {
        unwanted.fail(detail::cancelled_code());
        retire(unwanted);
    } else if (!unwanted_.empty() || !requests_.prep_cancel(uring::to_user_data(unwanted))) {
        unwanted_.push(unwanted);
    }
}

bool uring_backend::unregister(detail::descriptor& known) noexcept {
    // Nobody can take these any more, and the pool need not outlive the stream.
    if (known.closing)
        uring::multishots::drop_untaken(known);
    const bool armed = known.shots && known.shots->armed;
    if (!known.registered && !armed) {
        known.readable = true;
        known.hung_up = false;
        known.read_before = false;
        uring::multishots::drop_untaken(known);
        return true;
    }
    // As long as these are there the socket is too, whatever becomes of its handle.
    if (armed && !multishots_.disarm(known))
        unregister_pending_ = true;
    if (known.registered && !std::exchange(known.unregistering, true) &&
        !requests_.prep_cancel(uring::to_poll_data(known))) {
        known.unregistering = false;
        unregister_pending_ = true;
    }
    return false;
}

void uring_backend::unregister_now(detail::descriptor& known) noexcept {
    while (!unregister(known)) {
        requests_.enter(1, no_timeout);
        collect();
    }
}

void uring_backend::finish_closing() noexcept {
    while (closing() > 0) {
        request_backlog();
        requests_.enter(1, no_timeout);
        collect();
    }
}

void uring_backend::return_buffers() noexcept {
    multishots_.return_buffers();
}

void uring_backend::flush() noexcept {
    request_backlog();
    if (ring_.has_unsubmitted())
        requests_.enter(0, no_timeout);
}

void uring_backend::request_wake() noexcept {
    if (!wake_requested_)
        wake_requested_ =
            requests_.ask_wake_up(wake_handle_, std::as_writable_bytes(std::span(&wake_count_, 1)));
}

void uring_backend::request_backlog() noexcept {
    if (std::exchange(unregister_pending_, false))
        retry_closing();
    while (operation* const unwanted = unwanted_.pop()) {
        if (!requests_.prep_cancel(uring::to_user_data(*unwanted))) {
            unwanted_.push(*unwanted);
            return;
        }
    }
    while (operation* const waiting = backlog_.pop()) {
        if (waiting->inbound() && waiting->target().shots &&
            uring::multishots::take_untaken(*waiting))
            retire(*waiting); // it came while there was no room
        else if (!request(*waiting)) {
            backlog_.push_front(*waiting);
            return;
        }
    }
}

void uring_backend::poll(time_point deadline) {
    multishots_.feed();
    request_backlog();
    request_wake();
    const bool nothing_held_back = backlog_.empty() && unwanted_.empty() && wake_requested_;
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
        else if (whose & uring::poll_mark)
            complete_poll(uring::from_user_data<detail::descriptor>(whose), answer, flags);
        else if (whose & uring::multishot_mark)
            complete_multishot(uring::from_user_data<detail::descriptor>(whose), answer, flags);
        else
            complete(uring::from_user_data<operation>(whose), answer);
    });
}

void uring_backend::complete_poll(detail::descriptor& polled, int answer, unsigned flags) noexcept {
    const detail::descriptor_ref kept(&polled);
    has_poll_ = has_poll_ && answer != -EINVAL;
    polled.readable = true;
    if (answer > 0 && (answer & (POLLRDHUP | POLLHUP | POLLERR)))
        polled.hung_up = true;
    if (std::exchange(polled.read_parked, false))
        backlog_.push(*polled.in.active);
    if (flags & IORING_CQE_F_MORE)
        return;
    polled.registered = false;
    polled.unregistering = false;
    on_unregistered(polled);
}

void uring_backend::complete(operation& answered, int answer) noexcept {
    if (!unwanted_.empty())
        unwanted_.remove(answered);
    if (answer == -EINTR || answer == -EAGAIN) {
        const bool told = answer == -EAGAIN && uring::wait_flags(answered) != 0;
        if (told)
            answered.target().readable = false; // as its poll will say when it is not so any more
        if (answered.interrupted())
            answered.fail(detail::cancelled_code());
        else if (told || answer == -EINTR || uring::make_blocking(answered))
            return submit_now(answered);
    } else if (answer < 0) {
        answered.fail(posix::error_of(-answer));
    } else {
        detail::descriptor& target = answered.target();
        if (answered.code() == opcode::read && target.registered && !answered.arriving()) {
            const auto& read = static_cast<const transfer_operation&>(answered);
            target.readable = static_cast<std::size_t>(answer) == read.size();
        }
        if (!answered.advance(answer))
            return submit_now(answered);
    }
    retire(answered);
}

void uring_backend::complete_multishot(detail::descriptor& armed, int answer,
                                       unsigned flags) noexcept {
    const detail::descriptor_ref kept(&armed);
    switch (multishots_.take(armed, answer, flags)) {
    case uring::verdict::nothing:
        break;
    case uring::verdict::complete:
        retire(*armed.in.active);
        break;
    case uring::verdict::resubmit:
        submit_now(*armed.in.active);
        break;
    }
    if (!(flags & IORING_CQE_F_MORE))
        on_unregistered(armed);
}

void uring_backend::disarm(detail::descriptor& unwanted) noexcept {
    // Should there be no room to ask, it ends when it has brought too much, or with the socket.
    if (unwanted.shots->armed)
        static_cast<void>(multishots_.disarm(unwanted));
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
