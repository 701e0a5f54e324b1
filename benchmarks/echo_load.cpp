// SPDX-License-Identifier: MIT
//
// The load for the echo servers: a closed loop in which each connection has one message outstanding
// for as long as the measured window lasts. It is its own process without any library, so that it
// is the same for every contestant. It serves its connections in turn with blocking calls: two
// calls a request and no readiness interface is the cheapest there is, so that with many
// connections the server and not the load is the one that is busy.
//
// The server's CPU time is read from its process clock (nanoseconds, all its threads) after the
// warm-up and again after the last measured reply. Set-up and tear-down are outside of the window.
#include "program.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <netinet/in.h>
#include <netinet/tcp.h>
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

struct connection {
    int descriptor;
    std::uint64_t sent_at_ns;
    std::vector<std::byte> message;
};

struct settings {
    unsigned port;
    unsigned connections;
    unsigned size;
    unsigned requests;
    unsigned server_process;
};

class load {
public:
    explicit load(const settings& chosen) : settings_(chosen), reply_(chosen.size) {
        const auto server = static_cast<pid_t>(chosen.server_process);
        const int error = clock_getcpuclockid(server, &server_clock_);
        if (error != 0)
            fail("clock_getcpuclockid", error);
        latencies_ns_.reserve(std::size_t{chosen.requests} + chosen.connections);
        for (unsigned i = 0; i < chosen.connections; ++i)
            connections_.push_back(connect_to_server(i));
    }

    ~load() {
        for (const connection& peer : connections_)
            close(peer.descriptor);
    }

    load(const load&) = delete;
    load& operator=(const load&) = delete;

    void run() {
        for (connection& peer : connections_)
            send_message(peer);
        // A tenth of the requests, and at least a few for each connection, to reach the state that
        // lasts: pools filled, congestion windows open, caches warm.
        exchange(std::max(settings_.requests / 10, 4 * settings_.connections));
        latencies_ns_.clear();
        const std::uint64_t server_before_ns = now_ns(server_clock_);
        const std::uint64_t before_ns = now_ns(CLOCK_MONOTONIC);
        exchange(settings_.requests);
        wall_ns_ = now_ns(CLOCK_MONOTONIC) - before_ns;
        server_cpu_ns_ = now_ns(server_clock_) - server_before_ns;
        for (const connection& peer : connections_)
            receive_reply(peer);
    }

    void print() {
        const double requests = settings_.requests;
        std::printf("server_cpu_us_per_request=%.3f server_busy=%.3f requests_per_second=%.0f "
                    "p50_us=%.1f p99_us=%.1f\n",
                    static_cast<double>(server_cpu_ns_) / 1e3 / requests,
                    static_cast<double>(server_cpu_ns_) / static_cast<double>(wall_ns_),
                    requests / (static_cast<double>(wall_ns_) / 1e9), quantile_us(0.5),
                    quantile_us(0.99));
    }

private:
    connection connect_to_server(unsigned index) {
        const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
            fail("socket", errno);
        const int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(settings_.port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            fail("connect", errno);
        connection peer{descriptor, 0, std::vector<std::byte>(settings_.size)};
        for (std::size_t i = 0; i < peer.message.size(); ++i)
            peer.message[i] = static_cast<std::byte>(index * 31 + i);
        return peer;
    }

    // Takes the next reply in turn and sends the next message, `count` times.
    void exchange(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            connection& peer = connections_[turn_];
            turn_ = turn_ + 1 == connections_.size() ? 0 : turn_ + 1;
            receive_reply(peer);
            send_message(peer);
        }
    }

    void send_message(connection& peer) {
        // Each message differs from the one before, so that a stale reply is noticed.
        ++sequence_;
        std::memcpy(peer.message.data(), &sequence_, std::min(sizeof sequence_, size()));
        peer.sent_at_ns = now_ns(CLOCK_MONOTONIC);
        const ssize_t sent = send(peer.descriptor, peer.message.data(), size(), MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(size()))
            fail("send", sent < 0 ? errno : EPIPE);
    }

    void receive_reply(const connection& peer) {
        const ssize_t received = recv(peer.descriptor, reply_.data(), size(), MSG_WAITALL);
        if (received != static_cast<ssize_t>(size()))
            fail("recv", received < 0 ? errno : EPIPE);
        if (std::memcmp(reply_.data(), peer.message.data(), size()) != 0)
            fail("the echo differs from what was sent", EPROTO);
        latencies_ns_.push_back(now_ns(CLOCK_MONOTONIC) - peer.sent_at_ns);
    }

    std::size_t size() const { return reply_.size(); }

    double quantile_us(double share) {
        // The replies that are drained after the window do not count.
        const auto end = latencies_ns_.begin() + static_cast<std::ptrdiff_t>(settings_.requests);
        const auto at =
            latencies_ns_.begin() + static_cast<std::ptrdiff_t>(share * (settings_.requests - 1));
        std::nth_element(latencies_ns_.begin(), at, end);
        return static_cast<double>(*at) / 1e3;
    }

    settings settings_;
    clockid_t server_clock_{};
    std::vector<connection> connections_;
    std::vector<std::byte> reply_;
    std::vector<std::uint64_t> latencies_ns_;
    std::size_t turn_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t wall_ns_ = 0;
    std::uint64_t server_cpu_ns_ = 0;
};

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    settings chosen{};
    chosen.port = arguments.take_number("--port", 0);
    chosen.connections = arguments.take_number("--connections", 64);
    chosen.size = arguments.take_number("--size", 64);
    chosen.requests = arguments.take_number("--requests", 100'000);
    chosen.server_process = arguments.take_number("--server-process", 0);
    // An unhandled SIGALRM ends the program: a server that stops answering must not hang the run.
    alarm(arguments.take_number("--seconds", 60));
    arguments.finish();
    if (chosen.port == 0 || chosen.server_process == 0 || chosen.connections == 0 ||
        chosen.size == 0 || chosen.requests == 0)
        fail("--port, --server-process and counts above zero are needed", EINVAL);
    benchmark::raise_descriptor_limit();
    load closed_loop(chosen);
    closed_loop.run();
    closed_loop.print();
}
