// SPDX-License-Identifier: MIT
//
// The emulation of kqueue that the kqueue backend is tested on does what kqueue(2) says: what this
// file asks, the manual page answers.

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <initializer_list>
#include <sys/event.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

using event = struct kevent;
using clock_type = std::chrono::steady_clock;

/// A descriptor that closes itself.
class owned {
public:
    explicit owned(int descriptor) : descriptor_(descriptor) { REQUIRE(descriptor >= 0); }

    owned(const owned&) = delete;
    owned& operator=(const owned&) = delete;

    ~owned() { close(); }

    void close() {
        if (descriptor_ >= 0)
            ::close(std::exchange(descriptor_, -1));
    }

    operator int() const { return descriptor_; }

private:
    int descriptor_;
};

std::array<int, 2> make_pair() {
    std::array<int, 2> ends = {};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return ends;
}

struct pair {
    explicit pair(std::array<int, 2> ends = make_pair()) : one(ends[0]), other(ends[1]) {}

    owned one;
    owned other;
};

event change(int ident, int filter, int flags, unsigned fflags = 0, std::int64_t data = 0) {
    event made = {};
    made.ident = static_cast<std::uintptr_t>(ident);
    made.filter = static_cast<short>(filter);
    made.flags = static_cast<unsigned short>(flags);
    made.fflags = fflags;
    made.data = data;
    return made;
}

/// 0 or the error number.
int apply(int queue, const event& wanted) {
    return ::kevent(queue, &wanted, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
}

std::vector<event> fetch(int queue, std::chrono::nanoseconds patience = 0ns) {
    std::array<event, 8> events;
    timespec limit = {};
    limit.tv_sec = static_cast<time_t>(patience / 1s);
    limit.tv_nsec = static_cast<long>((patience % 1s).count());
    const int count = ::kevent(queue, nullptr, 0, events.data(), 8, &limit);
    REQUIRE(count >= 0);
    return {events.begin(), events.begin() + count};
}

void send(int to, std::size_t bytes) {
    const std::vector<char> data(bytes, 'x');
    REQUIRE(::send(to, data.data(), bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes));
}

void receive(int from, std::size_t bytes) {
    std::vector<char> data(bytes);
    REQUIRE(::recv(from, data.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes));
}

} // namespace

TEST_CASE("kqueue shim: READ tells of bytes for as long as they are there") {
    const owned queue(kqueue());
    const pair ends;
    event reading = change(ends.one, EVFILT_READ, EV_ADD);
    int mark = 0;
    reading.udata = &mark;
    CHECK(apply(queue, reading) == 0);
    CHECK(fetch(queue).empty());
    send(ends.other, 5);
    for (int again = 0; again < 2; ++again) {
        const auto events = fetch(queue);
        REQUIRE(events.size() == 1);
        CHECK(events[0].ident == static_cast<std::uintptr_t>(int(ends.one)));
        CHECK(events[0].filter == EVFILT_READ);
        CHECK(events[0].data == 5);
        CHECK(events[0].udata == &mark);
        CHECK((events[0].flags & (EV_EOF | EV_ERROR)) == 0);
    }
    receive(ends.one, 5);
    CHECK(fetch(queue).empty());
}

TEST_CASE("kqueue shim: a condition that holds before the filter is added is told of") {
    const owned queue(kqueue());
    const pair ends;
    send(ends.other, 1);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    CHECK(fetch(queue).size() == 1);
}

TEST_CASE("kqueue shim: EV_CLEAR tells of an arrival once") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    send(ends.other, 1);
    CHECK(fetch(queue).size() == 1);
    CHECK(fetch(queue).empty()); // although the byte is still there
    send(ends.other, 1);
    const auto events = fetch(queue);
    REQUIRE(events.size() == 1);
    CHECK(events[0].data == 2);
}

TEST_CASE("kqueue shim: an event whose condition has gone is not told of") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    send(ends.other, 1);
    receive(ends.one, 1);
    CHECK(fetch(queue).empty());
}

TEST_CASE("kqueue shim: EV_ONESHOT is deleted with its first event") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_ONESHOT)) == 0);
    send(ends.other, 1);
    CHECK(fetch(queue).size() == 1);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_DELETE)) == ENOENT);
}

TEST_CASE("kqueue shim: EV_DISPATCH is disabled with its event, until it is enabled") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_DISPATCH)) == 0);
    send(ends.other, 1);
    CHECK(fetch(queue).size() == 1);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ENABLE)) == 0);
    CHECK(fetch(queue).size() == 1);
}

TEST_CASE("kqueue shim: EV_DISABLE keeps an event back, EV_ADD and EV_ENABLE bring it") {
    const owned queue(kqueue());
    const pair ends;
    send(ends.other, 1);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_DISABLE)) == 0);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ENABLE)) == 0);
    CHECK(fetch(queue).size() == 1);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_DISABLE)) == 0);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD)) == 0);
    CHECK(fetch(queue).size() == 1);
}

TEST_CASE("kqueue shim: EV_DELETE ends an event that was about to be told of") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD)) == 0);
    send(ends.other, 1);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_DELETE)) == 0);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_DELETE)) == ENOENT);
}

TEST_CASE("kqueue shim: WRITE reports space in the send buffer, and is another event than READ") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_WRITE, EV_ADD | EV_CLEAR)) == 0);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    const auto events = fetch(queue);
    REQUIRE(events.size() == 1);
    CHECK(events[0].filter == EVFILT_WRITE);
    CHECK(events[0].data > 0);
    std::array<char, 4096> block = {};
    while (::send(ends.one, block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    CHECK(fetch(queue).empty());
    while (::recv(ends.other, block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    CHECK(fetch(queue, 10s).size() == 1);
    CHECK(apply(queue, change(ends.one, EVFILT_WRITE, EV_DELETE)) == 0);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_DELETE)) == 0);
}

TEST_CASE("kqueue shim: EV_EOF comes when the peer ends its half, with what is still unread") {
    const owned queue(kqueue());
    pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    send(ends.other, 3);
    REQUIRE(::shutdown(ends.other, SHUT_WR) == 0);
    const auto events = fetch(queue);
    REQUIRE(events.size() == 1);
    CHECK((events[0].flags & EV_EOF) != 0);
    CHECK(events[0].data == 3);
    CHECK(apply(queue, change(ends.one, EVFILT_WRITE, EV_ADD)) == 0);
    const auto half = fetch(queue);
    REQUIRE(half.size() == 1);
    CHECK((half[0].flags & EV_EOF) == 0); // it can still be written
    ends.other.close();
    bool ended = false;
    for (const event& each : fetch(queue))
        ended = ended || (each.filter == EVFILT_WRITE && (each.flags & EV_EOF));
    CHECK(ended);
}

TEST_CASE("kqueue shim: what is wrong with a change is told, by a receipt or by errno") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_DELETE)) == ENOENT);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ENABLE)) == ENOENT);
    CHECK(apply(queue, change(ends.one, 99, EV_ADD)) == EINVAL);
    CHECK(apply(queue, change(100'000, EVFILT_READ, EV_ADD)) == EBADF);
    CHECK(apply(ends.one, change(ends.one, EVFILT_READ, EV_ADD)) == EBADF); // no queue
    timespec wrong = {};
    wrong.tv_nsec = 1'000'000'000;
    std::array<event, 4> events;
    CHECK(::kevent(queue, nullptr, 0, events.data(), 4, &wrong) == -1);
    CHECK(errno == EINVAL);

    const std::array<event, 2> changes = {change(ends.one, EVFILT_READ, EV_ADD | EV_RECEIPT),
                                          change(100'000, EVFILT_READ, EV_ADD | EV_RECEIPT)};
    send(ends.other, 1);
    // The receipts only, although an event is there.
    REQUIRE(::kevent(queue, changes.data(), 2, events.data(), 4, nullptr) == 2);
    CHECK(events[0].flags == EV_ERROR);
    CHECK(events[0].data == 0);
    CHECK(events[1].flags == EV_ERROR);
    CHECK(events[1].data == EBADF);
    CHECK(fetch(queue).size() == 1);
}

TEST_CASE("kqueue shim: with an empty event list it does not wait, and drains nothing") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    send(ends.other, 1);
    const timespec hour = {3600, 0};
    CHECK(::kevent(queue, nullptr, 0, nullptr, 0, &hour) == 0);
    CHECK(fetch(queue).size() == 1);
}

TEST_CASE("kqueue shim: events beyond the size of the list are returned by the next call") {
    const owned queue(kqueue());
    const pair ends;
    for (const int filter : {EVFILT_READ, EVFILT_WRITE})
        CHECK(apply(queue, change(ends.one, filter, EV_ADD | EV_CLEAR)) == 0);
    send(ends.other, 1);
    const timespec at_once = {};
    event one = {};
    CHECK(::kevent(queue, nullptr, 0, &one, 1, &at_once) == 1);
    const short first = one.filter;
    CHECK(::kevent(queue, nullptr, 0, &one, 1, &at_once) == 1);
    CHECK(one.filter != first);
    CHECK(fetch(queue).empty());
}

TEST_CASE("kqueue shim: USER is triggered, from another thread too") {
    const owned queue(kqueue());
    CHECK(apply(queue, change(7, EVFILT_USER, 0, NOTE_TRIGGER)) == ENOENT);
    CHECK(apply(queue, change(7, EVFILT_USER, EV_ADD | EV_CLEAR)) == 0);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(7, EVFILT_USER, 0, NOTE_TRIGGER)) == 0);
    CHECK(apply(queue, change(7, EVFILT_USER, 0, NOTE_TRIGGER)) == 0);
    CHECK(fetch(queue).size() == 1); // both as one
    CHECK(fetch(queue).empty());
    for (int i = 0; i < 100; ++i) {
        std::thread other(
            [&] { CHECK(apply(queue, change(7, EVFILT_USER, 0, NOTE_TRIGGER)) == 0); });
        const auto events = fetch(queue, 60s);
        other.join();
        REQUIRE(events.size() == 1);
        CHECK(events[0].ident == 7);
    }
}

TEST_CASE("kqueue shim: USER without EV_CLEAR stays triggered, and carries flags") {
    const owned queue(kqueue());
    CHECK(apply(queue, change(1, EVFILT_USER, EV_ADD, NOTE_FFCOPY | 0xf0)) == 0);
    CHECK(apply(queue, change(1, EVFILT_USER, 0, NOTE_FFOR | 0x0f)) == 0);
    CHECK(apply(queue, change(1, EVFILT_USER, 0, NOTE_FFAND | 0x3c)) == 0);
    CHECK(apply(queue, change(1, EVFILT_USER, 0, NOTE_FFNOP | NOTE_TRIGGER | 0xff)) == 0);
    for (int again = 0; again < 2; ++again) {
        const auto events = fetch(queue);
        REQUIRE(events.size() == 1);
        CHECK(events[0].fflags == 0x3c);
    }
}

TEST_CASE("kqueue shim: TIMER expires periodically, and counts what was not fetched") {
    const owned queue(kqueue());
    const auto begin = clock_type::now();
    CHECK(apply(queue, change(3, EVFILT_TIMER, EV_ADD, NOTE_USECONDS, 200)) == 0);
    std::int64_t expired = 0;
    while (expired < 10) {
        const auto events = fetch(queue, 60s);
        REQUIRE(events.size() == 1);
        CHECK(events[0].data >= 1);
        expired += events[0].data;
    }
    CHECK(clock_type::now() - begin >= 2ms);
    CHECK(apply(queue, change(3, EVFILT_TIMER, EV_DELETE)) == 0);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(3, EVFILT_TIMER, EV_ADD, 0, -1)) == EINVAL);
}

TEST_CASE("kqueue shim: TIMER with EV_ONESHOT expires once, in any unit, and starts over") {
    const owned queue(kqueue());
    const std::initializer_list<std::pair<unsigned, std::int64_t>> two_ms = {
        {0, 2}, {NOTE_MSECONDS, 2}, {NOTE_USECONDS, 2000}, {NOTE_NSECONDS, 2'000'000}};
    for (const auto& [unit, length] : two_ms) {
        CHECK(apply(queue, change(3, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 3600)) == 0);
        const auto begin = clock_type::now();
        CHECK(apply(queue, change(3, EVFILT_TIMER, EV_ADD | EV_ONESHOT, unit, length)) == 0);
        const auto events = fetch(queue, 60s);
        REQUIRE(events.size() == 1);
        CHECK(events[0].data == 1);
        CHECK(clock_type::now() - begin >= 2ms);
        CHECK(apply(queue, change(3, EVFILT_TIMER, EV_DELETE)) == ENOENT);
    }
}

TEST_CASE("kqueue shim: the limit ends a wait, and another thread's change does not") {
    const owned queue(kqueue());
    const pair ends;
    CHECK(apply(queue, change(1, EVFILT_USER, EV_ADD | EV_DISABLE)) == 0);
    std::atomic<bool> over = false;
    std::thread other([&] {
        while (!over)
            CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    });
    const auto begin = clock_type::now();
    CHECK(fetch(queue, 5ms).empty());
    CHECK(clock_type::now() - begin >= 5ms);
    over = true;
    other.join();
}

TEST_CASE("kqueue shim: a closed descriptor's number that comes again is a new event") {
    const owned queue(kqueue());
    std::array<int, 2> before = {};
    {
        const pair ends;
        before = {ends.one, ends.other};
        for (const int filter : {EVFILT_READ, EVFILT_WRITE})
            CHECK(apply(queue, change(ends.one, filter, EV_ADD | EV_CLEAR)) == 0);
        send(ends.other, 1);
    }
    CHECK(fetch(queue).empty());
    const pair ends;
    REQUIRE(int(ends.one) == before[0]);
    CHECK(apply(queue, change(ends.one, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
    CHECK(fetch(queue).empty());
    CHECK(apply(queue, change(ends.one, EVFILT_WRITE, EV_DELETE)) == ENOENT);
    send(ends.other, 2);
    const auto events = fetch(queue);
    REQUIRE(events.size() == 1);
    CHECK(events[0].data == 2);
}
