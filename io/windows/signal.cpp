// SPDX-License-Identifier: MIT
//
// What a console tells, Windows tells on a thread that it makes for it; what is raised, the C
// library tells on the thread that raised it. Either writes the signal's number to one end of a
// connection of this process with itself; the other end is an ordinary stream.
#include "../signal.hpp"
#include "winsock.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fmt/format.h>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace coracle {

namespace {

/// What Windows has of signals that a program can wait for.
constexpr std::array catchable = {SIGINT, SIGBREAK, SIGTERM};

// Who wants which. The lock keeps a connection open while it is written to.
std::mutex lock;
std::array<SOCKET, catchable.size()> listeners = {INVALID_SOCKET, INVALID_SOCKET, INVALID_SOCKET};

/// The place of a signal in `listeners`, or null.
SOCKET* listener_of(int number) noexcept {
    const auto* const found = std::find(catchable.begin(), catchable.end(), number);
    return found == catchable.end() ? nullptr : &listeners[found - catchable.begin()];
}

/// False if nobody wants it.
bool pass_on(int number) noexcept {
    const std::lock_guard guard(lock);
    const SOCKET* const listener = listener_of(number);
    if (!listener || *listener == INVALID_SOCKET)
        return false;
    const auto byte = static_cast<char>(number);
    ::send(*listener, &byte, 1, 0); // if the buffer is full, plenty are waiting to be seen
    return true;
}

void on_signal(int number) {
    std::signal(number, on_signal); // it has been reset before this was called
    pass_on(number);
}

BOOL WINAPI on_console_event(DWORD event) {
    switch (event) {
    case CTRL_C_EVENT:
        return pass_on(SIGINT);
    case CTRL_BREAK_EVENT:
        return pass_on(SIGBREAK);
    default: // the console is closed, the user logs off, the system goes down
        if (!pass_on(SIGTERM))
            return FALSE;
        ::Sleep(INFINITE); // the process would end with this call; so it ends in order, or in 5 s
        return TRUE;
    }
}

struct socket_pair {
    windows::owned_socket one;
    windows::owned_socket other;
};

[[noreturn]] void fail() {
    throw std::system_error(windows::last_error(), "cannot watch for signals");
}

sockaddr_in local_address(SOCKET handle) {
    sockaddr_in local = {};
    int size = sizeof local;
    if (::getsockname(handle, reinterpret_cast<sockaddr*>(&local), &size) != 0)
        fail();
    return local;
}

windows::owned_socket open_stream() {
    windows::owned_socket opened(windows::open_stream(AF_INET, 0));
    if (opened.get() == INVALID_SOCKET)
        fail();
    return opened;
}

/// There is no socketpair. Whoever else connects to the port in the meantime is sent away.
socket_pair connect_pair() {
    windows::start_winsock();
    const windows::owned_socket listener = open_stream();
    sockaddr_in loopback = {};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) != 0 ||
        ::listen(listener.get(), 1) != 0)
        fail();
    const sockaddr_in where = local_address(listener.get());
    socket_pair made;
    made.one = open_stream();
    if (::connect(made.one.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
        fail();
    const sockaddr_in expected = local_address(made.one.get());
    for (;;) {
        sockaddr_in peer = {};
        int size = sizeof peer;
        made.other = windows::owned_socket(
            ::accept(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size));
        if (made.other.get() == INVALID_SOCKET)
            fail();
        if (peer.sin_port == expected.sin_port && peer.sin_addr.s_addr == expected.sin_addr.s_addr)
            return made;
    }
}

} // namespace

class signal_set::registration {
public:
    registration() = default;
    registration(const registration&) = delete;
    registration& operator=(const registration&) = delete;

    ~registration() {
        for (const auto& [number, before] : caught_) {
            std::signal(number, before);
            const std::lock_guard guard(lock);
            *listener_of(number) = INVALID_SOCKET;
        }
        if (watches_console_)
            ::SetConsoleCtrlHandler(on_console_event, FALSE);
    }

    /// Makes the pair, keeps the end that is written to, and returns the other.
    [[nodiscard]] SOCKET open() {
        socket_pair made = connect_pair();
        u_long non_blocking = 1;
        if (::ioctlsocket(made.other.get(), static_cast<long>(FIONBIO), &non_blocking) != 0 ||
            !::SetConsoleCtrlHandler(on_console_event, TRUE))
            fail();
        watches_console_ = true;
        written_to_ = std::move(made.other);
        return made.one.release();
    }

    void add(int number) {
        caught_.reserve(caught_.size() + 1);
        {
            const std::lock_guard guard(lock);
            SOCKET* const listener = listener_of(number);
            if (!listener)
                throw std::invalid_argument(fmt::format("Windows has no signal {}", number));
            if (*listener != INVALID_SOCKET)
                throw std::invalid_argument(
                    fmt::format("signal {} is in another signal_set", number));
            *listener = written_to_.get();
        }
        caught_.emplace_back(number, std::signal(number, on_signal));
    }

private:
    using handler = void (*)(int);

    windows::owned_socket written_to_;
    bool watches_console_ = false;
    std::vector<std::pair<int, handler>> caught_;
};

signal_set::signal_set(std::initializer_list<int> signals, creation_site where)
    : registration_(std::make_unique<registration>()) {
    const SOCKET receiver = registration_->open();
    arrivals_ = stream(socket(static_cast<native_handle>(receiver), network::native(), where));
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
