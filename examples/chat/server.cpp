// SPDX-License-Identifier: MIT
#include "server.hpp"

#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace chat {

namespace {

std::string count_of(std::size_t sessions) {
    return std::to_string(sessions) + " sessions";
}

} // namespace

server::server(coracle::tcp_listener listener, const limits& allowed)
    : listener_(std::move(listener)), allowed_(allowed), per_address_(allowed.max_per_address),
      sessions_(allowed.max_sessions) {}

coracle::task<> server::run() {
    auto serve_all = [this](coracle::task_group& jobs) -> coracle::task<> {
        co_await coracle::when_any(accept(jobs), stopping_.wait());
        listener_.close();
        room_.close();
    };
    co_await coracle::with_task_group(coracle::on_failure::report, serve_all);
}

coracle::task<> server::accept(coracle::task_group& jobs) {
    coracle::multishot_accept incoming = listener_.accept_many();
    for (;;)
        admit(jobs, co_await incoming.next());
}

void server::admit(coracle::task_group& jobs, coracle::tcp_stream peer) {
    if (sessions_.full()) {
        return jobs.start("refusal", refuse(std::move(peer), "the server is full, with " +
                                                                 count_of(allowed_.max_sessions)));
    }
    coracle::address from;
    try {
        from = peer.peer_address();
    } catch (const std::system_error&) {
        return; // reset before it was accepted
    }
    std::optional<address_limit::permit> permit = per_address_.try_acquire(from);
    if (!permit) {
        return jobs.start("refusal",
                          refuse(std::move(peer), "your address may have at most " +
                                                      count_of(allowed_.max_per_address)));
    }
    const auto make = [&] { return session(room_, std::move(peer), allowed_); };
    jobs.start("session", serve(sessions_.make(make), std::move(*permit)));
}

coracle::task<> server::serve(coracle::object_handle<session> client,
                              [[maybe_unused]] address_limit::permit permit) {
    // A lost connection is not worth a warning; any other failure becomes one.
    [[maybe_unused]] const coracle::result<void> ended = co_await coracle::as_result(client->run());
}

coracle::task<> server::refuse(coracle::tcp_stream peer, std::string reason) const {
    const std::string line = "! " + reason + "; try again later\n";
    [[maybe_unused]] const coracle::result<void> written =
        co_await coracle::as_result(coracle::with_timeout(allowed_.drain_time, peer.write(line)));
}

} // namespace chat
