// SPDX-License-Identifier: MIT
//
// The chat server as a program: its options, output, signals and exit code.
//
// Exit codes: 0 after a graceful shutdown, 1 if it cannot serve, 2 for a bad argument, and 128 +
// the signal's number if a second signal interrupts the shutdown.
#include "options.hpp"
#include "server.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <variant>

namespace {

using namespace coracle;

/// Stops the server at the first signal, and returns the second one.
task<int> second_signal(signal_set& signals, chat::server& server) {
    co_await signals.next();
    server.stop();
    co_return co_await signals.next();
}

/// Prints usage() as a line of JSON, at once and after each interval, until cancelled.
task<> watch(std::chrono::seconds interval) {
    event never;
    if (interval == std::chrono::seconds::zero())
        co_await never.wait();
    auto print = [](const usage_report& report) {
        std::puts(to_json(report).c_str());
        std::fflush(stdout);
    };
    co_await watch_usage(interval, print);
}

/// At each SIGUSR1, on platforms that have it, dumps all jobs to standard error, until cancelled.
task<> dump_on_signal() {
#ifdef SIGUSR1
    return dump_on(SIGUSR1);
#else
    event never;
    co_await never.wait();
#endif
}

task<int> serve(signal_set& signals, chat::server& server, std::chrono::seconds watch_interval) {
    const std::variant<std::monostate, int, std::monostate, std::monostate> ended =
        co_await when_any(server.run(), second_signal(signals, server), watch(watch_interval),
                          dump_on_signal());
    co_return ended.index() == 0 ? 0 : 128 + std::get<1>(ended);
}

void print_banner(const context& here, const address& local) {
    // nc takes the port as an argument of its own, and no brackets.
    std::string where = to_string(local);
    const std::string listening = where;
    where[where.rfind(':')] = ' ';
    std::erase_if(where, [](char each) { return each == '[' || each == ']'; });
    std::printf("chat: listening on %s\n", listening.c_str());
    std::printf("chat: the backend is %s: %s\n", std::string(here.backend_name()).c_str(),
                here.backend_reason().c_str());
    std::printf("chat: connect with: nc %s\n", where.c_str());
    std::fflush(stdout);
}

int run_server(const chat::options& wanted) {
    context_options options;
    options.backend = wanted.backend;
    context here(options);
    signal_set signals({SIGINT, SIGTERM});
    chat::server server(tcp_listener::bind(wanted.address), wanted.allowed);
    print_banner(here, server.local_address());
    return here.run(serve(signals, server, wanted.watch_interval));
}

/// When standard output is a pipe that nobody reads any more, as in `chat --watch 1 | head`,
/// writing fails with EPIPE instead of ending the process.
void ignore_sigpipe() {
#ifdef SIGPIPE
    std::signal(SIGPIPE, SIG_IGN);
#endif
}

} // namespace

int main(int argument_count, char** arguments) {
    ignore_sigpipe();
    try {
        const std::span<const char* const> all(arguments, static_cast<std::size_t>(argument_count));
        const chat::options wanted = chat::parse_options(all.subspan(1));
        if (wanted.help) {
            std::fputs(chat::help_text().data(), stdout);
            return 0;
        }
        return run_server(wanted);
    } catch (const chat::bad_argument& error) {
        std::fprintf(stderr, "chat: %s; see chat --help\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chat: %s\n", error.what());
        return 1;
    }
}
