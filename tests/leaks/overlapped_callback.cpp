// SPDX-License-Identifier: MIT
//
// The kernel needs a request's memory until it has completed, whoever has lost interest. io_uring
// stands for every kernel that completes, as OVERLAPPED does for one of them:
//
//   freed          the owner gives up on a receive, frees it, and the memory gets a new owner
//   on_the_stack   "allocate it on the stack, it goes by itself": it goes before the kernel is done
//   never_freed    the other way out: nobody frees it
//
// In the first two the new owner of the memory finds bytes in it that he never wrote.
//
// usage: overlapped_callback MISTAKE REQUESTS
#include "figures.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <liburing.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace {

struct overlapped {
    char buffer[512];
};

constexpr char canary = 'c';

io_uring ring;

void receive_async(int socket, char* buffer, std::size_t size, void* user_data) {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv(sqe, socket, buffer, size, 0);
    io_uring_sqe_set_data(sqe, user_data);
    io_uring_submit(&ring);
}

/// Waits for a completion, and touches nothing that belongs to it.
void process_completion() {
    io_uring_cqe* completion = nullptr;
    io_uring_wait_cqe(&ring, &completion);
    io_uring_cqe_seen(&ring, completion);
}

void peer_answers(int peer) {
    char answer[sizeof(overlapped)];
    std::memset(answer, 'k', sizeof answer);
    send(peer, answer, sizeof answer, MSG_NOSIGNAL);
    process_completion();
}

/// How many bytes somebody else has written.
long long overwritten(const volatile char* bytes, std::size_t size) {
    long long count = 0;
    for (std::size_t i = 0; i < size; ++i)
        count += bytes[i] != canary;
    return count;
}

long long freed_too_early(int socket, int peer) {
    auto* request = new overlapped;
    receive_async(socket, request->buffer, sizeof request->buffer, request);
    delete request; // has timed out, say
    auto* somebody_elses = new overlapped;
    std::memset(somebody_elses->buffer, canary, sizeof somebody_elses->buffer);
    peer_answers(peer);
    const long long count = overwritten(somebody_elses->buffer, sizeof somebody_elses->buffer);
    delete somebody_elses;
    return count;
}

[[gnu::noinline]] void receive_into_stack(int socket) {
    overlapped request;
    receive_async(socket, request.buffer, sizeof request.buffer, &request);
}

/// Has its variables where those of the function above have been.
[[gnu::noinline]] long long call_something_else(int peer) {
    volatile char bytes[8 * sizeof(overlapped)];
    for (volatile char& each : bytes)
        each = canary;
    peer_answers(peer);
    return overwritten(bytes, sizeof bytes);
}

long long on_the_stack(int socket, int peer) {
    receive_into_stack(socket);
    return call_something_else(peer);
}

void never_freed(int socket, int peer) {
    auto* request = new overlapped;
    receive_async(socket, request->buffer, sizeof request->buffer, request);
    peer_answers(peer);
}

} // namespace

/// The address sanitizer keeps freed memory from its next owner for a while, and does not see what
/// a kernel writes. Here that would only hide what happens in a server.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=0:thread_local_quarantine_size_kb=0:detect_stack_use_after_return=0";
}

int main(int, char** arguments) {
    const std::string_view mistake = arguments[1];
    const int requests = std::atoi(arguments[2]);
    if (io_uring_queue_init(8, &ring, 0) != 0)
        coracle::test::skip("io_uring cannot be had here");
    int sockets[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
    long long overwritten_bytes = 0;
    const coracle::test::figures before = coracle::test::take_figures();
    for (int i = 0; i < requests; ++i) {
        if (mistake == "freed")
            overwritten_bytes += freed_too_early(sockets[0], sockets[1]);
        else if (mistake == "on_the_stack")
            overwritten_bytes += on_the_stack(sockets[0], sockets[1]);
        else
            never_freed(sockets[0], sockets[1]);
    }
    const coracle::test::figures after = coracle::test::take_figures();
    io_uring_queue_exit(&ring);
    coracle::test::tell("overwritten_bytes", overwritten_bytes);
    coracle::test::tell("blocks_left",
                        static_cast<long long>(after.live_blocks - before.live_blocks));
}
