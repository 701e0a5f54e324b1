// SPDX-License-Identifier: MIT
//
// epoll: readiness (readiness.hpp), told by Linux; an eventfd wakes it.
#include "epoll.hpp"

#include "../../memory/fatal.hpp"
#include "../posix/calls.hpp"
#include "../posix/readiness.hpp"
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

class epoll_backend final : public detail::readiness_backend {
public:
    epoll_backend();

    std::string_view name() const noexcept override { return "epoll"; }

    void poll(time_point deadline) override;
    void wake() noexcept override;

protected:
    std::error_code watch(detail::descriptor& fd_state) noexcept override;
    void unwatch(detail::descriptor& fd_state) noexcept override;

private:
    static constexpr std::size_t max_events = 256;

    [[nodiscard]] int wait(time_point deadline) noexcept;
    [[nodiscard]] int wait_until(time_point deadline) noexcept;
    void drain_wake() const noexcept;
    void handle(const epoll_event& event) noexcept;

    detail::owned_handle epoll_;
    detail::owned_handle wake_;
    bool has_pwait2_ = true; // since Linux 5.11
    std::array<epoll_event, max_events> events_;
};

epoll_backend::epoll_backend()
    : readiness_backend(single_calls::can_refuse_to_block), epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (epoll_.get() < 0 || wake_.get() < 0)
        throw std::system_error(posix::last_error(), "cannot set up epoll");
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
        throw std::system_error(posix::last_error(), "cannot set up epoll");
}

std::error_code epoll_backend::watch(detail::descriptor& fd_state) noexcept {
    epoll_event event = {};
    event.events = EPOLLET | EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
    event.data.ptr = &fd_state;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, static_cast<int>(fd_state.handle), &event) != 0)
        return posix::last_error();
    return {};
}

void epoll_backend::unwatch(detail::descriptor& fd_state) noexcept {
    // Closing would do it too, but not while a child process holds a copy of the handle.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, static_cast<int>(fd_state.handle), nullptr);
}

void epoll_backend::poll(time_point deadline) {
    const int count = wait(deadline);
    for (int i = 0; i < count; ++i)
        handle(events_[static_cast<std::size_t>(i)]);
}

int epoll_backend::wait(time_point deadline) noexcept {
    constexpr auto max = static_cast<int>(max_events);
    int count = 0;
    if (deadline == time_point::min())
        count = ::epoll_wait(epoll_.get(), events_.data(), max, 0);
    else if (deadline == time_point::max())
        count = ::epoll_wait(epoll_.get(), events_.data(), max, -1);
    else
        count = wait_until(deadline);
    if (count < 0 && errno != EINTR)
        detail::fatal(fmt::format("epoll_wait failed: {}", posix::last_error().message()));
    return count;
}

int epoll_backend::wait_until(time_point deadline) noexcept {
    constexpr auto max = static_cast<int>(max_events);
    const std::chrono::nanoseconds left = std::max(deadline - now(), std::chrono::nanoseconds(0));
    if (has_pwait2_) {
        const timespec limit = detail::to_timespec(left);
        const int count = ::epoll_pwait2(epoll_.get(), events_.data(), max, &limit, nullptr);
        if (count >= 0 || errno != ENOSYS)
            return count;
        has_pwait2_ = false;
    }
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const auto limit_ms = static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000'000));
    return ::epoll_wait(epoll_.get(), events_.data(), max, limit_ms);
}

void epoll_backend::handle(const epoll_event& event) noexcept {
    if (!event.data.ptr) {
        drain_wake();
        return;
    }
    // A read stops short at urgent data too, with more behind it: then as well it does not mean
    // empty.
    constexpr std::uint32_t failed = EPOLLHUP | EPOLLERR;
    constexpr std::uint32_t ended = EPOLLRDHUP | EPOLLPRI | failed;
    note_edge(*static_cast<detail::descriptor*>(event.data.ptr),
              {.readable = (event.events & (EPOLLIN | ended)) != 0,
               .writable = (event.events & (EPOLLOUT | failed)) != 0,
               .ended = (event.events & ended) != 0});
}

void epoll_backend::drain_wake() const noexcept {
    std::uint64_t count = 0;
    if (::read(wake_.get(), &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
        detail::fatal(fmt::format("cannot read an eventfd: {}", posix::last_error().message()));
}

void epoll_backend::wake() noexcept {
    const std::uint64_t one = 1;
    // EAGAIN would say that the counter is full: then the loop is about to wake anyway.
    while (::write(wake_.get(), &one, sizeof one) < 0 && errno != EAGAIN) {
        if (errno != EINTR)
            detail::fatal(fmt::format("cannot wake a loop: {}", posix::last_error().message()));
    }
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
