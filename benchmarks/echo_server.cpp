// SPDX-License-Identifier: MIT
//
// The echo server of the yardsticks with the library, as a user would write it. Its only additions
// are the count of the requests and the options.
#include "program.hpp"

#include <coracle/io/context.hpp>
#include <coracle/io/tcp.hpp>
#include <coracle/runtime/task_group.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <span>
#include <string>

namespace {

using coracle::task;

task<> echo(coracle::tcp_stream peer) {
    peer.set_no_delay(true); // as the yardsticks do: a message may be longer than the buffer
    std::array<std::byte, 4096> buffer;
    for (;;) {
        const std::size_t received = co_await peer.read(buffer);
        if (received == 0)
            co_return;
        benchmark::count_request();
        co_await peer.write(std::span(buffer).first(received));
    }
}

task<> serve(coracle::tcp_listener listener) {
    auto body = [&](coracle::task_group& sessions) -> task<> {
        for (;;)
            sessions.start(echo(co_await listener.accept()));
    };
    co_await coracle::with_task_group(body);
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned port = arguments.take_number("--port", 0);
    coracle::context_options options;
    options.backend = std::string(arguments.take("--backend", ""));
    benchmark::report_at_end(arguments.take_number("--seconds", 120));
    arguments.finish();
    benchmark::raise_descriptor_limit();
    try {
        auto listener = coracle::tcp_listener::bind(
            coracle::address::loopback_v4(static_cast<std::uint16_t>(port)));
        benchmark::announce_port(listener.local_address().port());
        coracle::run(serve(std::move(listener)), options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo_server: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
