// SPDX-License-Identifier: MIT
//
// The submission queue of io_uring has few entries. Whoever asks for one more gets a null pointer
// and, here, returns: the request is lost, its callback never runs, and nobody deletes what the
// callback would have deleted.
//
// usage: full_queue_callback REQUESTS BURST
#include "figures.hpp"

#include <cstdint>
#include <cstdlib>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using completion_callback = void (*)(int result, void* user_data);

struct request_context {
    completion_callback callback;
    std::uint64_t message;
};

class uring_provider {
public:
    ~uring_provider() { io_uring_queue_exit(&ring_); }

    bool open() { return io_uring_queue_init(8, &ring_, 0) == 0; }

    void send_async(int socket, const void* data, std::size_t size, void* user_data) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        if (!sqe)
            return;
        io_uring_prep_send(sqe, socket, data, size, MSG_NOSIGNAL);
        io_uring_sqe_set_data(sqe, user_data);
    }

    void process_completions() {
        io_uring_submit(&ring_);
        io_uring_cqe* completion = nullptr;
        while (io_uring_peek_cqe(&ring_, &completion) == 0) {
            auto* context = static_cast<request_context*>(io_uring_cqe_get_data(completion));
            const int result = completion->res;
            io_uring_cqe_seen(&ring_, completion);
            context->callback(result, context);
        }
    }

private:
    io_uring ring_;
};

long long callbacks = 0;

void on_sent(int, void* user_data) {
    ++callbacks;
    delete static_cast<request_context*>(user_data);
}

} // namespace

int main(int, char** arguments) {
    const int requests = std::atoi(arguments[1]);
    const int burst = std::atoi(arguments[2]);
    uring_provider provider;
    if (!provider.open())
        coracle::test::skip("io_uring does not work here");
    int sockets[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
    const coracle::test::figures before = coracle::test::take_figures();
    long long received_bytes = 0;
    for (int i = 0; i < requests; ++i) {
        auto* context = new request_context{on_sent, static_cast<std::uint64_t>(i)};
        provider.send_async(sockets[0], &context->message, sizeof context->message, context);
        if ((i + 1) % burst != 0)
            continue;
        provider.process_completions();
        char buffer[4096];
        const ssize_t received = recv(sockets[1], buffer, sizeof buffer, MSG_DONTWAIT);
        received_bytes += received > 0 ? received : 0;
    }
    const coracle::test::figures after = coracle::test::take_figures();
    coracle::test::tell("requests", requests);
    coracle::test::tell("callbacks", callbacks);
    coracle::test::tell("messages_received", received_bytes / 8);
    coracle::test::tell("blocks_left",
                        static_cast<long long>(after.live_blocks - before.live_blocks));
}
