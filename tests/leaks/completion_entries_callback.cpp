// SPDX-License-Identifier: MIT
//
// Each call of process_completions takes an array for what has completed, and nobody gives it back.
//
// usage: completion_entries_callback POLLS
#include "figures.hpp"

#include <cstdint>
#include <cstdlib>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

struct completion_entry {
    void* user_data;
    std::int64_t result;
    std::uint32_t operation;
    std::uint32_t error;
    char padding[24];
};

constexpr std::uint32_t max_entries = 128;

class epoll_provider {
public:
    explicit epoll_provider(int socket) : socket_(socket) {
        epoll_event event = {};
        event.events = EPOLLIN;
        event.data.fd = socket;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
    }

    ~epoll_provider() { close(epoll_); }

    std::uint32_t process_completions() {
        auto* entries = new completion_entry[max_entries]();
        epoll_event events[max_entries];
        const int count = epoll_wait(epoll_, events, max_entries, 0);
        for (int i = 0; i < count; ++i)
            entries[i].result = recv(socket_, buffer_, sizeof buffer_, 0);
        return static_cast<std::uint32_t>(entries[0].result > 0);
    }

private:
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    int socket_;
    char buffer_[64] = {};
};

} // namespace

int main(int, char** arguments) {
    const int polls = std::atoi(arguments[1]);
    int sockets[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
    epoll_provider provider(sockets[0]);
    long long completions = 0;
    const coracle::test::figures before = coracle::test::take_figures();
    for (int i = 0; i < polls; ++i) {
        send(sockets[1], "hello", 5, MSG_NOSIGNAL);
        completions += provider.process_completions();
    }
    const coracle::test::figures after = coracle::test::take_figures();
    coracle::test::tell("completions", completions);
    coracle::test::tell("blocks_left",
                        static_cast<long long>(after.live_blocks - before.live_blocks));
    coracle::test::tell("bytes_left", static_cast<long long>(after.live_bytes - before.live_bytes));
    coracle::test::tell("resident_growth",
                        static_cast<long long>(after.resident_bytes - before.resident_bytes));
}
