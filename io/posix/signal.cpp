// SPDX-License-Identifier: MIT
//
// The handler writes the signal's number to a pair of sockets, which is all that a handler may do;
// the other end is an ordinary stream.
#include "../signal.hpp"
#include "calls.hpp"
#include "differences.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <stdexcept>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coracle {

namespace {

constexpr std::size_t signal_count = 65;

/// Where the handler writes to, for each signal; one more than the handle, so that 0 is nobody.
constinit std::array<std::atomic<int>, signal_count> listeners = {};

void on_signal(int number) noexcept {
    const int saved = errno;
    const int handle = listeners[static_cast<std::size_t>(number)].load() - 1;
    const auto byte = static_cast<char>(number);
    if (handle >= 0) { // if the buffer is full, plenty of signals are waiting to be seen
        while (::send(handle, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    }
    errno = saved;
}

} // namespace

class signal_set::registration {
public:
    registration() = default;
    registration(const registration&) = delete;
    registration& operator=(const registration&) = delete;

    ~registration() {
        for (const auto& [number, before] : caught_) {
            ::sigaction(number, &before, nullptr);
            listeners[static_cast<std::size_t>(number)] = 0;
        }
        if (handle_ >= 0)
            ::close(handle_);
    }

    /// Makes the pair, keeps the end that the handler writes to, and returns the other.
    [[nodiscard]] socket open(const creation_site& where) {
        std::array<int, 2> ends = {};
        const int type = SOCK_STREAM | posix::close_on_exec;
        if (::socketpair(AF_UNIX, type, 0, ends.data()) != 0)
            throw std::system_error(posix::last_error(), "cannot watch for signals");
        handle_ = ends[1];
        socket other(ends[0], network::native(), where);
        for (const int end : ends)
            posix::finish_opening(end);
        // macOS does not heed MSG_DONTWAIT everywhere.
        if (const std::error_code error = posix::set_blocking(handle_, false))
            throw std::system_error(error, "cannot watch for signals");
        posix::never_signal(handle_);
        return other;
    }

    void add(int number) {
        if (number <= 0 || static_cast<std::size_t>(number) >= signal_count)
            throw std::invalid_argument(fmt::format("there is no signal {}", number));
        int expected = 0;
        caught_.reserve(caught_.size() + 1);
        auto& listener = listeners[static_cast<std::size_t>(number)];
        if (!listener.compare_exchange_strong(expected, handle_ + 1))
            throw std::invalid_argument(fmt::format("signal {} is in another signal_set", number));
        struct sigaction action = {};
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        struct sigaction before = {};
        if (::sigaction(number, &action, &before) != 0) {
            const std::error_code error = posix::last_error();
            listener = 0;
            throw std::system_error(error, fmt::format("cannot catch signal {}", number));
        }
        caught_.emplace_back(number, before);
    }

private:
    int handle_ = -1;
    std::vector<std::pair<int, struct sigaction>> caught_;
};

signal_set::signal_set(std::initializer_list<int> signals, creation_site where)
    : registration_(std::make_unique<registration>()) {
    arrivals_ = stream(registration_->open(where));
    for (const int number : signals)
        registration_->add(number);
}

signal_set::~signal_set() = default;

task<int> signal_set::next() {
    unsigned char number = 0;
    co_await arrivals_.read(mutable_buffer(&number, 1));
    co_return number;
}

} // namespace coracle
