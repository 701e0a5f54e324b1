// SPDX-License-Identifier: MIT
//
// epoll: readiness. A descriptor is registered once, edge-triggered for both directions, when an
// operation first has to wait for it; what the kernel last said is remembered. An operation makes
// its system call first and waits only if that would block, so a busy socket never meets epoll.
//
// Invariants. A lane's active operation waits exactly while its direction is not ready. A short
// answer means that the direction is drained (unless the stream's end is near, which gives no
// further edge), and saves the call that would say so.
#include "epoll.hpp"

#include "../../memory/fatal.hpp"
#include "posix.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coracle {

namespace {

/// A file descriptor that closes itself.
class owned_handle {
public:
    explicit owned_handle(int handle) noexcept : handle_(handle) {}

    owned_handle(const owned_handle&) = delete;
    owned_handle& operator=(const owned_handle&) = delete;

    ~owned_handle() {
        if (handle_ >= 0)
            ::close(handle_);
    }

    [[nodiscard]] int get() const noexcept { return handle_; }

private:
    int handle_;
};

timespec to_timespec(std::chrono::nanoseconds duration) noexcept {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    timespec value = {};
    value.tv_sec = seconds.count();
    value.tv_nsec = (duration - seconds).count();
    return value;
}

class epoll_backend final : public backend {
public:
    epoll_backend();

    std::string_view name() const noexcept override { return "epoll"; }

    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override;
    void wake() noexcept override;
    bool submit(operation& started) noexcept override;
    void cancel(operation& unwanted) noexcept override;
    bool forget(detail::descriptor& known) noexcept override;

private:
    static constexpr std::size_t most_events = 256;

    [[nodiscard]] int wait(time_point deadline) noexcept;
    [[nodiscard]] int wait_until(time_point deadline) noexcept;
    [[nodiscard]] std::error_code watch(detail::descriptor& watched) noexcept;
    void drain_wake() const noexcept;
    void go_on(operation* waiting, bool& ready) noexcept;
    void handle(const epoll_event& event) noexcept;

    owned_handle epoll_;
    owned_handle wake_;
    bool has_pwait2_ = true; // since Linux 5.11
    std::array<epoll_event, most_events> events_;
};

epoll_backend::epoll_backend()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (epoll_.get() < 0 || wake_.get() < 0)
        throw std::system_error(posix::last_error(), "cannot set up epoll");
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
        throw std::system_error(posix::last_error(), "cannot set up epoll");
}

/// The readiness that an operation depends on.
bool& readiness_of(const operation& waiting) noexcept {
    detail::descriptor& target = waiting.target();
    return waiting.inbound() ? target.readable : target.writable;
}

/// Does what can be done, and notes what is then known of the socket. True if that was all of it.
bool progress(operation& tried, bool& ready) noexcept {
    const posix::attempt_result answer = posix::attempt(tried);
    const detail::descriptor& target = tried.target();
    const bool drained = answer == posix::attempt_result::partial && !target.hung_up;
    if (target.registered && (drained || answer == posix::attempt_result::blocked))
        ready = false;
    return answer != posix::attempt_result::blocked;
}

bool epoll_backend::submit(operation& started) noexcept {
    detail::descriptor& target = started.target();
    const bool may_block = started.code() == opcode::accept || started.code() == opcode::connect;
    if (may_block && !target.non_blocking) {
        // Only these two have no flag for a single call that must not block.
        try {
            posix::set_blocking(static_cast<int>(target.handle), false);
        } catch (const std::system_error& error) {
            started.fail(error.code());
            return false;
        }
        target.non_blocking = true;
    }
    bool& ready = readiness_of(started);
    if (ready && progress(started, ready))
        return false;
    if (!target.registered) {
        if (const std::error_code error = watch(target)) {
            started.fail(error);
            return false;
        }
        ready = false; // registering brings an edge for what is ready by now
    }
    return true;
}

std::error_code epoll_backend::watch(detail::descriptor& watched) noexcept {
    epoll_event event = {};
    event.events = EPOLLET | EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
    event.data.ptr = &watched;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, static_cast<int>(watched.handle), &event) != 0)
        return posix::last_error();
    watched.registered = true;
    return {};
}

void epoll_backend::cancel(operation& unwanted) noexcept {
    // Nobody but this backend works on it, so it is over at once.
    unwanted.fail(detail::cancelled_code());
    retire(unwanted);
}

bool epoll_backend::forget(detail::descriptor& known) noexcept {
    if (!known.registered)
        return true;
    // Closing would do it too, but not while a child process holds a copy of the handle.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, static_cast<int>(known.handle), nullptr);
    known.registered = false;
    known.readable = true;
    known.writable = true;
    known.hung_up = false;
    return true;
}

void epoll_backend::poll(time_point deadline) {
    const int count = wait(deadline);
    for (int i = 0; i < count; ++i)
        handle(events_[static_cast<std::size_t>(i)]);
}

int epoll_backend::wait(time_point deadline) noexcept {
    constexpr auto most = static_cast<int>(most_events);
    int count = 0;
    if (deadline == time_point::min())
        count = ::epoll_wait(epoll_.get(), events_.data(), most, 0);
    else if (deadline == time_point::max())
        count = ::epoll_wait(epoll_.get(), events_.data(), most, -1);
    else
        count = wait_until(deadline);
    if (count < 0 && errno != EINTR)
        detail::fatal(fmt::format("epoll_wait failed: {}", posix::last_error().message()));
    return count;
}

int epoll_backend::wait_until(time_point deadline) noexcept {
    constexpr auto most = static_cast<int>(most_events);
    const std::chrono::nanoseconds left = std::max(deadline - now(), std::chrono::nanoseconds(0));
    if (has_pwait2_) {
        const timespec limit = to_timespec(left);
        const int count = ::epoll_pwait2(epoll_.get(), events_.data(), most, &limit, nullptr);
        if (count >= 0 || errno != ENOSYS)
            return count;
        has_pwait2_ = false;
    }
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const auto limit_ms = static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000'000));
    return ::epoll_wait(epoll_.get(), events_.data(), most, limit_ms);
}

void epoll_backend::handle(const epoll_event& event) noexcept {
    if (!event.data.ptr) {
        drain_wake();
        return;
    }
    auto& target = *static_cast<detail::descriptor*>(event.data.ptr);
    // A read stops short at urgent data too, with more behind it: then as well it does not mean
    // empty.
    constexpr std::uint32_t ended = EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR;
    target.hung_up = target.hung_up || (event.events & ended);
    target.readable = target.readable || (event.events & (EPOLLIN | ended));
    target.writable = target.writable || (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR));
    // The first to retire may be the last operation of a socket that is gone, and take the
    // descriptor with it; but then there is no second one.
    operation* const in = target.in.active;
    operation* const out = target.out.active;
    go_on(in, target.readable);
    go_on(out, target.writable);
}

void epoll_backend::go_on(operation* waiting, bool& ready) noexcept {
    if (waiting && ready && progress(*waiting, ready))
        retire(*waiting);
}

void epoll_backend::drain_wake() const noexcept {
    std::uint64_t count = 0;
    if (::read(wake_.get(), &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
        detail::fatal(fmt::format("cannot read an eventfd: {}", posix::last_error().message()));
}

void epoll_backend::wake() noexcept {
    const std::uint64_t one = 1;
    // EAGAIN would say that the counter is full: then the loop is about to wake anyway.
    if (::write(wake_.get(), &one, sizeof one) < 0 && errno != EAGAIN)
        detail::fatal(fmt::format("cannot wake a loop: {}", posix::last_error().message()));
}

} // namespace

std::unique_ptr<backend> detail::make_epoll(const context_options&, std::string& reason) {
    try {
        return std::make_unique<epoll_backend>();
    } catch (const std::system_error& error) {
        reason = error.what();
        return nullptr;
    }
}

} // namespace coracle
