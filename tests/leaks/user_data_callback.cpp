// SPDX-License-Identifier: MIT
//
// What a request needs is on the heap, and goes to the provider as `void* user_data`. Whoever ends
// the request should delete it. There are four ends, and in each somebody has forgotten:
//
//   forgotten    the callback uses the context and returns
//   cancelled    the provider drops the request, so that the callback never runs
//   timed_out    the same, by a deadline
//   reset        the callback leaves early, because there is nothing to be done
//
// usage: user_data_callback END REQUESTS
#include "figures.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>

namespace {

using deadline = std::chrono::steady_clock::time_point;
using completion_callback = void (*)(ssize_t result, void* user_data);

class epoll_provider {
public:
    ~epoll_provider() { close(epoll_); }

    void receive_async(int socket, char* buffer, std::size_t size, void* user_data, deadline limit,
                       completion_callback callback) {
        epoll_event event = {};
        event.events = EPOLLIN;
        event.data.fd = socket;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
        pending_[socket] = {buffer, size, user_data, limit, callback};
    }

    void cancel(int socket) {
        epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
        pending_.erase(socket);
    }

    void process_completions() {
        epoll_event events[64];
        const int count = epoll_wait(epoll_, events, 64, 0);
        for (int i = 0; i < count; ++i) {
            const int socket = events[i].data.fd;
            const request done = pending_[socket];
            cancel(socket);
            done.callback(recv(socket, done.buffer, done.size, 0), done.user_data);
        }
        const deadline now = std::chrono::steady_clock::now();
        std::erase_if(pending_, [now](const auto& each) { return each.second.limit <= now; });
    }

private:
    struct request {
        char* buffer;
        std::size_t size;
        void* user_data;
        deadline limit;
        completion_callback callback;
    };

    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::unordered_map<int, request> pending_;
};

struct request_context {
    char* buffer;
    std::size_t buffer_size;
    std::uint32_t session_id;
};

long long received_bytes = 0;
long long callbacks = 0;

void on_received(ssize_t result, void* user_data) {
    auto* context = static_cast<request_context*>(user_data);
    ++callbacks;
    if (result < 0)
        return;
    received_bytes += context->buffer[0] ? result : 0;
}

void one_request(epoll_provider& provider, std::string_view end, std::uint32_t session_id) {
    int sockets[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
    if (end == "reset")
        send(sockets[0], "not read by the peer", 20, MSG_NOSIGNAL);

    auto* context = new request_context();
    context->buffer = new char[4096];
    context->buffer_size = 4096;
    context->session_id = session_id;
    const auto now = std::chrono::steady_clock::now();
    provider.receive_async(sockets[0], context->buffer, context->buffer_size, context,
                           end == "timed_out" ? now : now + std::chrono::hours(1), on_received);

    if (end == "forgotten")
        send(sockets[1], "hello", 5, MSG_NOSIGNAL);
    else if (end == "reset")
        close(sockets[1]);
    else if (end == "cancelled")
        provider.cancel(sockets[0]);
    provider.process_completions();

    close(sockets[0]);
    if (end != "reset")
        close(sockets[1]);
}

} // namespace

int main(int, char** arguments) {
    const int requests = std::atoi(arguments[2]);
    epoll_provider provider;
    one_request(provider, "cancelled", 0); // so that the containers are there
    const coracle::test::figures before = coracle::test::take_figures();
    for (int i = 0; i < requests; ++i)
        one_request(provider, arguments[1], static_cast<std::uint32_t>(i));
    const coracle::test::figures after = coracle::test::take_figures();
    coracle::test::tell("callbacks", callbacks);
    coracle::test::tell("received_bytes", received_bytes);
    coracle::test::tell("blocks_left",
                        static_cast<long long>(after.live_blocks - before.live_blocks));
    coracle::test::tell("bytes_left", static_cast<long long>(after.live_bytes - before.live_bytes));
    coracle::test::tell("descriptors_left",
                        static_cast<long long>(after.descriptors - before.descriptors));
}
