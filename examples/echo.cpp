// SPDX-License-Identifier: MIT
//
// An echo server: sends back what it receives, on any number of connections. `echo [PORT]`; Ctrl-C
// ends it.
#include <array>
#include <coracle/coracle.hpp>
#include <csignal>
#include <cstdio>
#include <string>

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
    co_await with_task_group(on_failure::report, [&](task_group& sessions) -> task<> {
        for (;;)
            sessions.start(echo(co_await listener.accept())); // a reset ends one session only
    });
}

task<> serve_until_signal(tcp_listener listener) {
    signal_set signals({SIGINT, SIGTERM});
    co_await when_any(serve(std::move(listener)), signals.next());
}

int main(int argc, char** argv) {
    try {
        const std::string port = argc > 1 ? argv[1] : "7777";
        tcp_listener listener = tcp_listener::bind(address::parse("127.0.0.1:" + port));
        std::printf("echo: listening on %s\n", to_string(listener.local_address()).c_str());
        std::fflush(stdout);
        run(serve_until_signal(std::move(listener)));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo: %s\n", error.what());
        return 1;
    }
}
