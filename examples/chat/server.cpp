// SPDX-License-Identifier: MIT
#include "server.hpp"

#include "session.hpp"
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace chat {

server::server(coracle::tcp_listener listener, const limits& allowed)
    : listener_(std::move(listener)), allowed_(allowed) {}

coracle::task<> server::run() {
    auto serve_all = [this](coracle::task_group& sessions) -> coracle::task<> {
        co_await coracle::when_any(accept(sessions), stopping_.wait());
        listener_.close();
        room_.close();
    };
    co_await coracle::with_task_group(serve_all);
}

coracle::task<> server::accept(coracle::task_group& sessions) {
    for (;;) {
        coracle::tcp_stream peer = co_await listener_.accept();
        if (sessions_ >= allowed_.max_sessions) {
            sessions.start(refuse(std::move(peer)));
        } else {
            ++sessions_;
            sessions.start(serve(std::move(peer)));
        }
    }
}

/// What goes wrong with one client is the end of its session, and of nothing else.
coracle::task<> server::serve(coracle::tcp_stream peer) {
    try {
        session client(room_, std::move(peer), allowed_);
        // As a result: that the client has gone, or everything is cancelled, is no news.
        [[maybe_unused]] const coracle::result<void> ended =
            co_await coracle::as_result(client.run());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chat: a session failed: %s\n", error.what());
    }
    --sessions_;
}

coracle::task<> server::refuse(coracle::tcp_stream peer) const {
    const std::string line = "! the server is full, with " + std::to_string(allowed_.max_sessions) +
                             " sessions; try again later\n";
    [[maybe_unused]] const coracle::result<void> told =
        co_await coracle::as_result(coracle::with_timeout(allowed_.drain_time, peer.write(line)));
}

} // namespace chat
