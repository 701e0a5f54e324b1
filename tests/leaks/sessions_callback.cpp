// SPDX-License-Identifier: MIT
//
// A server that keeps its sessions in a pool. When a socket has closed, its handler closes the
// server's end too and forgets to take the session out. So sessions pile up, until the pool is full
// and new connections are turned away.
//
// usage: sessions_callback MOST-SESSIONS CONNECTIONS
#include "figures.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>

namespace {

struct session {
    int socket;
    std::array<char, 4096> receive_buffer;
};

class session_pool {
public:
    explicit session_pool(std::size_t most) : max_(most) {}

    /// Null if the pool is full.
    session* add(int socket) {
        if (sessions_.size() >= max_)
            return nullptr;
        auto& place = sessions_[next_id_++];
        place = std::make_unique<session>();
        place->socket = socket;
        return place.get();
    }

    [[nodiscard]] std::size_t size() const { return sessions_.size(); }

private:
    std::size_t max_;
    std::uint64_t next_id_ = 1;
    std::unordered_map<std::uint64_t, std::unique_ptr<session>> sessions_;
};

class epoll_server {
public:
    explicit epoll_server(std::size_t max_sessions) : sessions_(max_sessions) {
        ::listen(listener_, 64);
        watch(listener_, nullptr);
    }

    ~epoll_server() {
        ::close(listener_);
        ::close(epoll_);
    }

    epoll_server(const epoll_server&) = delete;
    epoll_server& operator=(const epoll_server&) = delete;

    [[nodiscard]] sockaddr_in address() const {
        sockaddr_in local = {};
        socklen_t size = sizeof local;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&local), &size);
        return local;
    }

    void process_events() {
        std::array<epoll_event, 64> events;
        const int count = ::epoll_wait(epoll_, events.data(), 64, 1000);
        for (int i = 0; i < count; ++i) {
            auto* const client =
                static_cast<session*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (client)
                on_readable(*client);
            else
                on_connection();
        }
    }

    [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

    [[nodiscard]] long long accepted() const { return accepted_; }

    [[nodiscard]] long long closed() const { return closed_; }

    [[nodiscard]] long long refused() const { return refused_; }

private:
    void watch(int socket, session* of) const {
        epoll_event event = {};
        event.events = EPOLLIN;
        event.data.ptr = of;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
    }

    void on_connection() {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        session* const added = sessions_.add(socket);
        if (!added) {
            ::close(socket);
            ++refused_;
            return;
        }
        ++accepted_;
        watch(socket, added);
    }

    void on_readable(session& client) {
        const ssize_t size = ::recv(client.socket, client.receive_buffer.data(),
                                    client.receive_buffer.size(), MSG_DONTWAIT);
        if (size > 0)
            ::send(client.socket, client.receive_buffer.data(), static_cast<std::size_t>(size),
                   MSG_NOSIGNAL);
        else
            on_socket_closed(client);
    }

    void on_socket_closed(session& client) {
        ::close(client.socket);
        ++closed_;
    }

    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    session_pool sessions_;
    long long accepted_ = 0;
    long long closed_ = 0;
    long long refused_ = 0;
};

/// A client from its connection to its end.
void connect_once(epoll_server& server) {
    const long long done = server.closed() + server.refused();
    const sockaddr_in address = server.address();
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        coracle::test::skip("a connection to this machine itself is not to be had");
    ::close(client);
    while (server.closed() + server.refused() == done)
        server.process_events();
}

} // namespace

int main(int, char** arguments) {
    epoll_server server(static_cast<std::size_t>(std::atoll(arguments[1])));
    const long long connections = std::atoll(arguments[2]);
    const coracle::test::figures before = coracle::test::take_figures();
    for (long long i = 0; i < connections; ++i)
        connect_once(server);
    const coracle::test::figures after = coracle::test::take_figures();
    coracle::test::tell("accepted", server.accepted());
    coracle::test::tell("closed", server.closed());
    coracle::test::tell("refused", server.refused());
    coracle::test::tell("sessions_left", static_cast<long long>(server.sessions()));
    coracle::test::tell("bytes_left", static_cast<long long>(after.live_bytes - before.live_bytes));
    coracle::test::tell("descriptors_left",
                        static_cast<long long>(after.descriptors - before.descriptors));
}
