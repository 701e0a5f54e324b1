// SPDX-License-Identifier: MIT
//
// The handler writes the signal's number to a pair of sockets; the other end is an ordinary stream.
//
// The end that it writes to is closed only when no handler uses it any more, on whatever thread. A
// forked child inherits handler and sockets; there the handler writes nothing, and the signal does
// what it did before the set was made.
#include "../signal.hpp"
#include "calls.hpp"
#include "differences.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <sched.h>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace coracle {

namespace {

constexpr std::size_t signal_count = 65;

/// What the handler of one signal needs. Static, since a handler may run at any time.
struct signal_slot {
    std::atomic<int> handle = -1;   // what the handler writes to; -1 if no set has the signal
    std::atomic<pid_t> process = 0; // of the set: a forked child inherits handler and slot
    std::atomic<int> running = 0;   // handlers that may still write to the handle
    struct sigaction before = {};
};

constinit std::array<signal_slot, signal_count> slots = {};

signal_slot& slot_of(int number) noexcept {
    return slots[static_cast<std::size_t>(number)];
}

void write_signal(int handle, int number) noexcept {
    const auto byte = static_cast<char>(number);
    // If the buffer is full, plenty of signals are waiting to be read.
    while (::send(handle, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

void on_signal(int number) noexcept {
    const int saved = errno;
    signal_slot& slot = slot_of(number);
    if (slot.process != ::getpid()) {
        // A forked child: the set is its parent's. Do what the signal did before.
        ::sigaction(number, &slot.before, nullptr);
        ::raise(number);
    } else {
        ++slot.running;
        const int handle = slot.handle;
        if (handle >= 0)
            write_signal(handle, number);
        --slot.running;
    }
    errno = saved;
}

/// Catches a signal from now on. Throws if it is in another set of this process.
void catch_signal(int number, int handle) {
    if (number <= 0 || static_cast<std::size_t>(number) >= signal_count)
        throw std::invalid_argument(fmt::format("there is no signal {}", number));
    signal_slot& slot = slot_of(number);
    const bool inherited = slot.process != ::getpid();
    int expected = inherited ? slot.handle.load() : -1;
    if (!slot.handle.compare_exchange_strong(expected, handle))
        throw std::invalid_argument(fmt::format("signal {} is in another signal_set", number));
    if (inherited)
        slot.running = 0; // those of other threads of the parent are not in this process
    slot.process = ::getpid();
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    struct sigaction before = {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler != on_signal)
        slot.before = before;
    if (::sigaction(number, &action, nullptr) != 0) {
        const std::error_code error = posix::last_error();
        slot.handle = -1;
        throw std::system_error(error, fmt::format("cannot catch signal {}", number));
    }
}

/// Brings back what the signal did before. Afterwards no handler uses the handle.
void release_signal(int number, int handle) noexcept {
    signal_slot& slot = slot_of(number);
    if (slot.process != ::getpid() || slot.handle != handle)
        return; // a copy of the set in a forked child, which may have a set of its own
    ::sigaction(number, &slot.before, nullptr);
    slot.handle = -1;
    while (slot.running > 0)
        ::sched_yield();
}

} // namespace

class signal_set::registration {
public:
    registration() = default;
    registration(const registration&) = delete;
    registration& operator=(const registration&) = delete;

    ~registration() {
        for (const int number : caught_)
            release_signal(number, handle_);
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
        // macOS does not respect MSG_DONTWAIT everywhere.
        if (const std::error_code error = posix::set_blocking(handle_, false))
            throw std::system_error(error, "cannot watch for signals");
        posix::never_signal(handle_);
        return other;
    }

    void add(int number) {
        caught_.reserve(caught_.size() + 1);
        catch_signal(number, handle_);
        caught_.push_back(number);
    }

private:
    int handle_ = -1;
    std::vector<int> caught_;
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
