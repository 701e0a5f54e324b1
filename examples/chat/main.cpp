// SPDX-License-Identifier: MIT
//
// The chat server as a program: options in, a server, and what the process says and returns.
//
// Exit codes: 0 after an end in order, 1 if it cannot serve, 2 for a bad argument, and 128 + the
// signal's number if a second signal has cut the end short.
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

/// Stops the server at the first signal, and ends with the second one.
task<int> second_signal(signal_set& signals, chat::server& server) {
    co_await signals.next();
    server.stop();
    co_return co_await signals.next();
}

/// Tells what is in use, one line of JSON at a time and the first one at once, until cancelled.
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

/// Writes what everything waits for to standard error at each SIGUSR1, where there is such a
/// signal, until cancelled.
task<> dump_when_asked() {
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
                          dump_when_asked());
    co_return ended.index() == 0 ? 0 : 128 + std::get<1>(ended);
}

void introduce(const context& here, const address& local) {
    // The address again, with a blank instead of the colon and without brackets, as nc wants it.
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
    introduce(here, server.local_address());
    return here.run(serve(signals, server, wanted.watch_interval));
}

/// A reader of our output that goes, as in `chat --watch 1 | head`, must not end the server:
/// writing fails with EPIPE instead.
void ignore_broken_pipes() {
#ifdef SIGPIPE
    std::signal(SIGPIPE, SIG_IGN);
#endif
}

} // namespace

int main(int argument_count, char** arguments) {
    ignore_broken_pipes();
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
