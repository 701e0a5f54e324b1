// SPDX-License-Identifier: MIT
//
// An echo server: what comes is sent back, for any number of connections.
#include <array>
#include <coracle/coracle.hpp>
#include <cstdlib>

using namespace coracle;

task<> echo(tcp_stream peer) {
    std::array<std::byte, 4096> buffer;
    for (;;) {
        const std::size_t n = co_await peer.read(buffer);
        if (n == 0)
            co_return;
        co_await peer.write(std::span(buffer).first(n));
    }
}

task<> serve(tcp_listener listener) {
    co_await with_task_group([&](task_group& sessions) -> task<> {
        for (;;)
            sessions.start(echo(co_await listener.accept()));
    });
}

int main(int argc, char** argv) {
    const int port = argc > 1 ? std::atoi(argv[1]) : 7777;
    run(serve(tcp_listener::bind(address::loopback_v4(static_cast<std::uint16_t>(port)))));
}
