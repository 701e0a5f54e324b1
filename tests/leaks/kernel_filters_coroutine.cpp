// SPDX-License-Identifier: MIT
//
// Connections of whose descriptors there is a copy, read from until the kernel watches them, and
// then closed in three ways: idle, with a read under way that is cancelled, and after the peer's
// end. Their peers write once more afterwards. What the kernel then still watches is counted.
//
// usage: kernel_filters_coroutine CONNECTIONS
#include "figures.hpp"

#include <array>
#include <cerrno>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

using namespace coracle;

namespace {

std::size_t waiting = 0;
std::size_t max_registrations = 0;
long long bytes_read = 0;

task<> iterations(int count) {
    for (int i = 0; i < count; ++i)
        co_await sleep_for(std::chrono::nanoseconds(0));
}

void send_to(int peer) {
    if (::send(peer, "x", 1, MSG_NOSIGNAL) != 1)
        throw std::system_error(errno, std::generic_category(), "send");
}

/// Reads until the end or until it is cancelled.
task<> read_all(tcp_stream& from, long long& received) {
    std::array<char, 64> buffer;
    for (;;) {
        const auto count = co_await as_result(from.read(buffer));
        if (!count || *count == 0)
            co_return;
        received += static_cast<long long>(*count);
    }
}

/// One connection's life.
task<> connection(int handle, int peer, int kind, event& all_wait) {
    tcp_stream stream = tcp_stream::adopt(handle);
    long long received = 0;
    auto body = [&](task_group& group) -> task<> {
        group.start(read_all(stream, received));
        for (int sent = 1; sent <= 2; ++sent) { // the second read is one that the kernel watches
            send_to(peer);
            while (received < sent)
                co_await iterations(1);
        }
        bytes_read += received;
        ++waiting;
        co_await all_wait.wait();
        if (kind == 0)
            ::shutdown(peer, SHUT_WR);
        else
            group.cancel();
    };
    co_await with_task_group(body);
    if (kind == 2)
        stream.close(); // else it goes with the frame
}

/// Looks when every connection has a read under way, and then lets them go on.
task<> count_registrations(std::size_t connections, event& all_wait) {
    while (waiting < connections)
        co_await iterations(1);
    co_await iterations(20); // an iteration has a budget, so not all get to their read in one
    max_registrations = test::kernel_registrations();
    all_wait.set();
}

task<> all(const std::vector<int>& handles, const std::vector<int>& peers) {
    event all_wait;
    auto body = [&handles, &peers, &all_wait](task_group& group) -> task<> {
        group.start(count_registrations(handles.size(), all_wait));
        for (std::size_t i = 0; i < handles.size(); ++i)
            group.start(connection(handles[i], peers[i], static_cast<int>(i % 3), all_wait));
        co_return;
    };
    co_await with_task_group(body);
}

} // namespace

int main(int, char** arguments) {
    const int count = std::atoi(arguments[1]);
    const test::figures before = test::take_figures();
    {
        context here;
        here.run(iterations(4));
        const std::size_t registrations_of_its_own = test::kernel_registrations();
        std::vector<int> handles;
        std::vector<int> copies;
        std::vector<int> peers;
        for (int i = 0; i < count; ++i) {
            std::array<int, 2> ends = {};
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
                throw std::system_error(errno, std::generic_category(), "socketpair");
            handles.push_back(ends[0]);
            copies.push_back(::dup(ends[0]));
            peers.push_back(ends[1]);
        }
        here.run(all(handles, peers));
        for (int i = 0; i < count; ++i) {
            if (i % 3 != 0)
                send_to(peers[static_cast<std::size_t>(i)]);
        }
        here.run(iterations(4));
        test::tell("registrations_left", static_cast<long long>(test::kernel_registrations()) -
                                             static_cast<long long>(registrations_of_its_own));
        for (const int each : peers)
            ::close(each);
        for (const int each : copies)
            ::close(each);
    }
    test::tell("bytes_read", bytes_read);
    test::tell("max_registrations", static_cast<long long>(max_registrations));
    test::tell("descriptors_left", static_cast<long long>(test::take_figures().descriptors) -
                                       static_cast<long long>(before.descriptors));
}
