// SPDX-License-Identifier: MIT
#include "server.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace chat {

server::server(coracle::tcp_listener listener, const limits& allowed)
    : listener_(std::move(listener)), allowed_(allowed), sessions_(allowed.max_sessions) {}

coracle::task<> server::run() {
    auto serve_all = [this](coracle::task_group& jobs) -> coracle::task<> {
        co_await coracle::when_any(accept(jobs), stopping_.wait());
        listener_.close();
        room_.close();
    };
    co_await coracle::with_task_group(serve_all);
}

coracle::task<> server::accept(coracle::task_group& jobs) {
    for (;;)
        admit(jobs, co_await listener_.accept());
}

void server::admit(coracle::task_group& jobs, coracle::tcp_stream peer) {
    if (sessions_.full())
        return jobs.start("refusal", refuse(std::move(peer)));
    const auto make = [&] { return session(room_, std::move(peer), allowed_); };
    jobs.start("session", serve(sessions_.make(make)));
}

/// What goes wrong with one client is the end of its session, and of nothing else.
coracle::task<> server::serve(coracle::object_handle<session> client) {
    try {
        // As a result: that the client has gone, or everything is cancelled, is no news.
        [[maybe_unused]] const coracle::result<void> ended =
            co_await coracle::as_result(client->run());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chat: a session failed: %s\n", error.what());
    }
}

coracle::task<> server::refuse(coracle::tcp_stream peer) const {
    const std::string line = "! the server is full, with " + std::to_string(allowed_.max_sessions) +
                             " sessions; try again later\n";
    [[maybe_unused]] const coracle::result<void> told =
        co_await coracle::as_result(coracle::with_timeout(allowed_.drain_time, peer.write(line)));
}

} // namespace chat
