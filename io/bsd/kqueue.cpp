// SPDX-License-Identifier: MIT
//
// kqueue: readiness (readiness.hpp), told by macOS and FreeBSD. A descriptor has a filter for each
// direction, which report edges (EV_CLEAR); an EVFILT_USER wakes the loop.
//
// Invariants. The two filters of a descriptor come and go together, and are gone before its handle
// is closed or given away, so no event can name a descriptor that is gone. While a batch of events
// is handled nothing is resumed, and so nothing is closed either.
#include "kqueue.hpp"

#include "../../memory/fatal.hpp"
#include "../posix/calls.hpp"
#include "../posix/readiness.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/event.h>

namespace coracle {

namespace {

using kernel_event = struct kevent;

/// FreeBSD waits no longer than a day, and macOS refuses to wait for years. A loop that wakes early
/// waits again.
constexpr std::chrono::nanoseconds longest_wait = std::chrono::hours(24);

constexpr std::uintptr_t wake_ident = 0;

kernel_event change_of(std::uintptr_t ident, int filter, int flags) noexcept {
    kernel_event change = {};
    change.ident = ident;
    change.filter = static_cast<decltype(change.filter)>(filter);
    change.flags = static_cast<decltype(change.flags)>(flags);
    return change;
}

class kqueue_backend final : public detail::readiness_backend {
public:
    kqueue_backend();

    std::string_view name() const noexcept override { return "kqueue"; }

    void poll(time_point deadline) override;
    void wake() noexcept override;

protected:
    std::error_code watch(detail::descriptor& fd_state) noexcept override;
    void unwatch(detail::descriptor& fd_state) noexcept override;

private:
    static constexpr std::size_t max_events = 256;

    [[nodiscard]] int wait(const timespec* limit) noexcept;
    [[nodiscard]] std::error_code change_filters(detail::descriptor& fd_state, int flags) noexcept;
    void handle(const kernel_event& event) noexcept;

    detail::owned_handle kqueue_;
    std::array<kernel_event, max_events> events_;
};

kqueue_backend::kqueue_backend() : readiness_backend(single_calls::may_block), kqueue_(::kqueue()) {
    if (kqueue_.get() < 0)
        throw std::system_error(posix::last_error(), "cannot set up kqueue");
    ::fcntl(kqueue_.get(), F_SETFD, FD_CLOEXEC); // a child has none of it anyway, an exec would
    const kernel_event waking = change_of(wake_ident, EVFILT_USER, EV_ADD | EV_CLEAR);
    if (::kevent(kqueue_.get(), &waking, 1, nullptr, 0, nullptr) != 0)
        throw std::system_error(posix::last_error(), "cannot set up kqueue");
    // A round trip: what wakes a loop must arrive.
    wake();
    const timespec at_once = {};
    if (wait(&at_once) != 1)
        throw std::runtime_error("kqueue does not tell of an event of its own");
}

std::error_code kqueue_backend::watch(detail::descriptor& fd_state) noexcept {
    const std::error_code refused = change_filters(fd_state, EV_ADD | EV_CLEAR);
    if (refused)
        unwatch(fd_state); // one of the two may have been taken
    return refused;
}

void kqueue_backend::unwatch(detail::descriptor& fd_state) noexcept {
    // Closing would do it too, but a handle may also be released.
    static_cast<void>(change_filters(fd_state, EV_DELETE));
}

/// With receipts, so that the answers are those to the changes and no events.
std::error_code kqueue_backend::change_filters(detail::descriptor& fd_state, int flags) noexcept {
    const auto ident = static_cast<std::uintptr_t>(fd_state.handle);
    std::array<kernel_event, 2> changes = {change_of(ident, EVFILT_READ, flags | EV_RECEIPT),
                                           change_of(ident, EVFILT_WRITE, flags | EV_RECEIPT)};
    for (kernel_event& change : changes)
        change.udata = &fd_state;
    const int count = ::kevent(kqueue_.get(), changes.data(), 2, changes.data(), 2, nullptr);
    if (count < 0)
        return posix::last_error();
    for (const kernel_event& receipt : changes) {
        if ((receipt.flags & EV_ERROR) && receipt.data != 0)
            return posix::error_of(static_cast<int>(receipt.data));
    }
    return {};
}

void kqueue_backend::poll(time_point deadline) {
    int count = 0;
    if (deadline == time_point::max()) {
        count = wait(nullptr);
    } else {
        timespec limit = {};
        if (deadline != time_point::min())
            limit = detail::to_timespec(
                std::clamp(deadline - now(), std::chrono::nanoseconds(0), longest_wait));
        count = wait(&limit);
    }
    for (int i = 0; i < count; ++i)
        handle(events_[static_cast<std::size_t>(i)]);
}

int kqueue_backend::wait(const timespec* limit) noexcept {
    const int count =
        ::kevent(kqueue_.get(), nullptr, 0, events_.data(), static_cast<int>(max_events), limit);
    if (count < 0 && errno != EINTR)
        detail::fatal(fmt::format("kevent failed: {}", posix::last_error().message()));
    return count;
}

void kqueue_backend::handle(const kernel_event& event) noexcept {
    if (event.filter == EVFILT_USER)
        return; // it has done its work
    // An error is for the calls to find, in whichever direction they meet it.
    const bool failed = (event.flags & EV_ERROR) != 0;
    const bool readable = event.filter == EVFILT_READ;
    note_edge(*static_cast<detail::descriptor*>(event.udata),
              {.readable = readable || failed,
               .writable = !readable || failed,
               .ended = failed || (readable && (event.flags & EV_EOF))});
}

void kqueue_backend::wake() noexcept {
    kernel_event trigger = change_of(wake_ident, EVFILT_USER, 0);
    trigger.fflags = NOTE_TRIGGER;
    if (::kevent(kqueue_.get(), &trigger, 1, nullptr, 0, nullptr) != 0)
        detail::fatal(fmt::format("cannot wake a loop: {}", posix::last_error().message()));
}

} // namespace

std::unique_ptr<backend> detail::make_kqueue(const context_options&, std::string& reason) {
    try {
        return std::make_unique<kqueue_backend>();
    } catch (const std::exception& error) {
        reason = error.what();
        return nullptr;
    }
}

} // namespace coracle
