// SPDX-License-Identifier: MIT
//
// A connection is registered with epoll, and closed without being taken out again, since closing
// does that. But it does so only when the last copy of the descriptor is closed, and there is a
// copy: a child process has inherited one, or somebody has made one. So the registration stays, and
// goes on bringing events for a connection that is gone and that nothing can take out any more.
//
// usage: kernel_filters_callback CONNECTIONS
#include "figures.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

struct connection {
    explicit connection(int opened) : socket(opened) {}

    ~connection() { close(socket); }

    int socket;
};

int epoll = -1;
std::unordered_map<std::uint64_t, std::unique_ptr<connection>> connections;

void open_connection(std::uint64_t id, int socket) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = id; // with a pointer here, each late event would be a use after free
    epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
    connections.emplace(id, std::make_unique<connection>(socket));
}

/// Events for connections that there are not.
long long events_for_the_dead() {
    long long count = 0;
    std::vector<epoll_event> events(4096);
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < ready; ++i) {
        const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
        count += connections.count(id) == 0;
    }
    return count;
}

} // namespace

int main(int, char** arguments) {
    const int count = std::atoi(arguments[1]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    std::vector<int> peers;
    std::vector<int> copies;
    for (int i = 0; i < count; ++i) {
        int sockets[2];
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
        copies.push_back(dup(sockets[0]));
        peers.push_back(sockets[1]);
        open_connection(static_cast<std::uint64_t>(i), sockets[0]);
    }
    connections.clear();
    for (const int peer : peers)
        send(peer, "hello", 5, MSG_NOSIGNAL);
    coracle::test::tell("registrations_left",
                        static_cast<long long>(coracle::test::kernel_registrations()));
    coracle::test::tell("events_for_the_dead", events_for_the_dead());
    for (const int each : peers)
        close(each);
    for (const int each : copies)
        close(each);
    close(epoll);
}
