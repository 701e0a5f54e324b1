// SPDX-License-Identifier: MIT
//
// The echo server of the yardsticks with the library, as a user would write it. Its only additions
// are the count of the requests and the options. --receive-many: the way for connections that are
// mostly idle, with one multishot accept, and one multishot receive a connection into a pool.
// --usage: at each SIGUSR1 it prints how many bytes of the library's memory are in use.
#include "program.hpp"

#include <coracle/io/context.hpp>
#include <coracle/io/signal.hpp>
#include <coracle/io/tcp.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
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

task<> echo_from_pool(coracle::tcp_stream peer, coracle::buffer_pool& pool) {
    peer.set_no_delay(true);
    coracle::multishot_receive incoming = peer.receive_many(pool);
    for (;;) {
        const coracle::buffer_lease bytes = co_await incoming.next();
        if (!bytes)
            co_return;
        benchmark::count_request();
        co_await peer.write(bytes);
    }
}

task<> serve_from_pool(coracle::tcp_listener listener) {
    coracle::buffer_pool pool(512, 2048); // of which the kernel has 256 at hand, as the yardstick's
    coracle::multishot_accept incoming = listener.accept_many();
    auto body = [&](coracle::task_group& sessions) -> task<> {
        for (;;)
            sessions.start(echo_from_pool(co_await incoming.next(), pool));
    };
    co_await coracle::with_task_group(coracle::on_failure::report, body);
}

task<> serve(coracle::tcp_listener listener) {
    auto body = [&](coracle::task_group& sessions) -> task<> {
        for (;;)
            sessions.start(echo(co_await listener.accept()));
    };
    co_await coracle::with_task_group(coracle::on_failure::report, body);
}

task<> tell_usage() {
    coracle::signal_set asked({SIGUSR1});
    for (;;) {
        co_await asked.next();
        std::printf("live_bytes=%zu\n", coracle::usage().live_bytes);
        std::fflush(stdout);
    }
}

task<> serve_and_tell_usage(task<> serving) {
    co_await coracle::when_all(std::move(serving), tell_usage());
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned port = arguments.take_number("--port", 0);
    coracle::context_options options;
    options.backend = std::string(arguments.take("--backend", ""));
    const bool receives_many = arguments.take_flag("--receive-many");
    const bool tells_usage = arguments.take_flag("--usage");
    benchmark::report_at_end(arguments.take_number("--seconds", 120));
    arguments.finish();
    benchmark::raise_descriptor_limit();
    try {
        auto listener = coracle::tcp_listener::bind(
            coracle::address::loopback_v4(static_cast<std::uint16_t>(port)));
        benchmark::announce_port(listener.local_address().port());
        task<> serving =
            receives_many ? serve_from_pool(std::move(listener)) : serve(std::move(listener));
        coracle::run(tells_usage ? serve_and_tell_usage(std::move(serving)) : std::move(serving),
                     options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo_server: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
