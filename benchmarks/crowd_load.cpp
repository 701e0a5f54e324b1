// SPDX-License-Identifier: MIT
//
// A crowd that joins the chat server at once: --guests clients connect as fast as they can, and
// read until each has been told of everyone who came after it. Prints the server's CPU time for
// that.
//
//     chat --port 7777 --max-sessions 3000 --max-per-address 0 &
//     crowd_load --port 7777 --guests 2000 --server-process $!
#include "program.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace {

using benchmark::fail;

std::uint64_t now_ns(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0)
        fail("clock_gettime", errno);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

int connect_to(unsigned port) {
    const int guest = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (guest < 0)
        fail("socket", errno);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(guest, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("connect", errno);
    return guest;
}

/// Reads once from each guest that has something to read, and counts the lines.
std::uint64_t read_lines(int guests) {
    std::array<epoll_event, 64> ready{};
    const int count = epoll_wait(guests, ready.data(), static_cast<int>(ready.size()), -1);
    if (count < 0)
        fail("epoll_wait", errno);
    std::uint64_t lines = 0;
    for (int i = 0; i < count; ++i) {
        std::array<char, 65536> bytes; // NOLINT(cppcoreguidelines-pro-type-member-init)
        const ssize_t received = recv(ready[static_cast<std::size_t>(i)].data.fd, bytes.data(),
                                      bytes.size(), MSG_DONTWAIT);
        if (received == 0)
            fail("a guest was sent away", EPIPE);
        if (received > 0)
            lines += static_cast<std::uint64_t>(
                std::count(bytes.begin(), bytes.begin() + received, '\n'));
        else if (errno != EAGAIN)
            fail("recv", errno);
    }
    return lines;
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned port = arguments.take_number("--port", 0);
    const unsigned guests = arguments.take_number("--guests", 2000);
    const unsigned server = arguments.take_number("--server-process", 0);
    arguments.finish();
    alarm(60);
    benchmark::raise_descriptor_limit();
    benchmark::require_descriptors(guests);
    clockid_t server_clock{};
    if (const int error = clock_getcpuclockid(static_cast<pid_t>(server), &server_clock))
        fail("clock_getcpuclockid", error);
    const int readers = epoll_create1(EPOLL_CLOEXEC);
    if (readers < 0)
        fail("epoll_create1", errno);

    const std::uint64_t cpu_before_ns = now_ns(server_clock);
    const std::uint64_t before_ns = now_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < guests; ++i) {
        const int guest = connect_to(port);
        epoll_event readable{};
        readable.events = EPOLLIN;
        readable.data.fd = guest;
        if (epoll_ctl(readers, EPOLL_CTL_ADD, guest, &readable) != 0)
            fail("epoll_ctl", errno);
    }
    // A welcome for each, and one line for everyone who came after it.
    const std::uint64_t expected = guests + std::uint64_t{guests} * (guests - 1) / 2;
    for (std::uint64_t lines = 0; lines < expected;)
        lines += read_lines(readers);
    std::printf("guests=%u lines=%llu server_cpu_ms=%.0f wall_ms=%.0f\n", guests,
                static_cast<unsigned long long>(expected),
                static_cast<double>(now_ns(server_clock) - cpu_before_ns) / 1e6,
                static_cast<double>(now_ns(CLOCK_MONOTONIC) - before_ns) / 1e6);
}
