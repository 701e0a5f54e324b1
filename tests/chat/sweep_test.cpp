// SPDX-License-Identifier: MIT
//
// A whole session, and the server that serves it, cancelled at each of their suspensions: everybody
// has left then, and nothing is left behind.

#include "await_point_sweep.hpp"
#include "kernel_loop.hpp"

#include <server.hpp>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// Says a line, and reads until `answer` comes. False if the server ends the connection first.
task<bool> ask(tcp_stream& peer, line_reader<tcp_stream>& lines, std::string line,
               std::string answer) {
    co_await iterations(1); // so that the server waits for it
    co_await peer.write(line + "\n");
    for (;;) {
        const auto next = co_await lines.next();
        if (!next || *next == answer)
            co_return next.has_value();
    }
}

/// Joins, takes a name, talks and quits.
task<> visit(const chat::server& server, std::string name) {
    tcp_stream peer = co_await tcp_stream::connect(server.local_address());
    peer.set_no_delay(true);
    line_reader lines(peer);
    const auto welcome = co_await lines.next();
    CHECK(welcome->starts_with("* welcome, guest"));
    const std::string guest(welcome->substr(11, welcome->find(';') - 11));
    const bool named = co_await ask(peer, lines, "/nick " + name, "* " + guest + " is now " + name);
    CHECK(named);
    const bool heard = co_await ask(peer, lines, "/me waves", "~ " + name + " waves");
    CHECK(heard);
    const bool left = co_await ask(peer, lines, "bye\n/quit", "* goodbye");
    CHECK(left);
}

/// Two visitors, one of which comes while the other one is there; then the server ends in order.
task<> evening() {
    chat::server server(tcp_listener::bind(address::loopback_v4(0)), chat::limits());
    auto visitors = [&]() -> task<> {
        auto late = [&]() -> task<> {
            co_await iterations(4);
            co_await visit(server, "bob");
        };
        co_await when_all(visit(server, "alice"), late());
        server.stop();
    };
    const result<void> ended = co_await as_result(when_all(server.run(), visitors()));
    CHECK(server.here().size() == 0);
    ended.value();
}

} // namespace

TEST_CASE("chat sweep: cancelled at any suspension, everybody has left") {
    CHECK(await_point_sweep<kernel_loop>().may_complete().run(evening) >= 40);
}
