// SPDX-License-Identifier: MIT
//
// A yardstick: an echo server written by hand on edge-triggered epoll, without any library. Each
// descriptor is registered once. A read that comes back short has emptied the socket, which saves
// the call that would say EAGAIN. All connections share one buffer; only what a slow peer does not
// take is kept, and until it is gone nothing more is read from that peer.
#include "raw_server.hpp"

#include <array>
#include <cstddef>
#include <span>

#include <sys/epoll.h>

namespace {

using benchmark::fail;

struct connection {
    int descriptor;
    bool end_seen = false; // the peer has closed: a short read does not mean "empty" any more
    std::vector<std::byte> unsent;
};

class echo_server {
public:
    explicit echo_server(int listener) : listener_(listener) {
        if (epoll_ < 0)
            fail("epoll_create1", errno);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = nullptr;
        if (epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0)
            fail("epoll_ctl", errno);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events;
        for (;;) {
            const int count =
                epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            if (count < 0 && errno != EINTR)
                fail("epoll_wait", errno);
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                if (event.data.ptr == nullptr)
                    accept_all();
                else
                    serve(*static_cast<connection*>(event.data.ptr), event.events);
            }
        }
    }

private:
    void accept_all() {
        for (;;) {
            const int peer = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (peer < 0 && (errno == EAGAIN || errno == ECONNABORTED))
                return;
            if (peer < 0)
                fail("accept4", errno);
            epoll_event event{};
            event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
            event.data.ptr = new connection{peer, false, {}};
            if (epoll_ctl(epoll_, EPOLL_CTL_ADD, peer, &event) != 0)
                fail("epoll_ctl", errno);
        }
    }

    void serve(connection& peer, std::uint32_t events) {
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
            peer.end_seen = true;
        const bool alive = send_unsent(peer) && (!peer.unsent.empty() || echo(peer));
        if (!alive) {
            close(peer.descriptor);
            delete &peer;
        }
    }

    // Returns false when the connection is over.
    bool echo(connection& peer) {
        for (;;) {
            const ssize_t received = recv(peer.descriptor, buffer_.data(), buffer_.size(), 0);
            if (received < 0)
                return errno == EAGAIN;
            if (received == 0)
                return false;
            benchmark::count_request();
            const auto bytes = std::span(buffer_).first(static_cast<std::size_t>(received));
            const ssize_t sent = send(peer.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN)
                return false;
            if (sent != received) {
                const auto rest = bytes.subspan(sent < 0 ? 0 : static_cast<std::size_t>(sent));
                peer.unsent.assign(rest.begin(), rest.end());
                // The edge may have passed between the two calls: send_unsent looks again.
                if (!send_unsent(peer))
                    return false;
                if (!peer.unsent.empty())
                    return true;
            }
            if (bytes.size() < buffer_.size() && !peer.end_seen)
                return true;
        }
    }

    // Returns false when the connection is over.
    bool send_unsent(connection& peer) {
        while (!peer.unsent.empty()) {
            const ssize_t sent =
                send(peer.descriptor, peer.unsent.data(), peer.unsent.size(), MSG_NOSIGNAL);
            if (sent < 0)
                return errno == EAGAIN;
            peer.unsent.erase(peer.unsent.begin(), peer.unsent.begin() + sent);
        }
        return true;
    }

    int listener_;
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::array<std::byte, 16 * 1024> buffer_;
};

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned port = arguments.take_number("--port", 0);
    benchmark::report_at_end(arguments.take_number("--seconds", 120));
    arguments.finish();
    benchmark::raise_descriptor_limit();
    echo_server server(benchmark::listen_on_loopback(port));
    server.run();
}
