// SPDX-License-Identifier: MIT
//
// How sessions end: by the client, a time-out, a full outbox, a limit, or the server.
#include "chat_client.hpp"

#include <array>
#include <vector>

using chat::limits;
using chat::server;
using chat::test::client;
using chat::test::finish_in_time;
using chat::test::task;
using chat::test::with_server;
using namespace std::chrono_literals;

namespace {

/// Closes with a reset, as the kernel does for a process that dies with unread input.
void reset(client& gone) {
    gone.stream().set_linger(0s);
    gone.stream().close();
}

/// Sends lines, each of which `listener` reads before the next one, until `enough` bytes are sent
/// or a member has left. Returns the last line that the listener read.
task<std::string> talk(client& speaker, client& listener, std::size_t enough) {
    const std::string text(4000, 'x');
    std::string heard;
    for (std::size_t said = 0; said < enough && !heard.starts_with("* "); said += text.size()) {
        co_await speaker.say(text);
        heard = co_await listener.line();
    }
    co_return heard;
}

template <std::size_t Count, class Body>
task<> serve_backlog(limits allowed, Body body) {
    server tested(coracle::tcp_listener::bind(coracle::address::loopback_v4(0)), allowed);
    std::array<client, Count> clients;
    for (client& each : clients)
        co_await each.connect(tested);
    auto both = [&](coracle::task_group& jobs) -> task<> {
        jobs.start(tested.run());
        co_await body(tested, clients);
    };
    co_await finish_in_time(coracle::with_task_group(both));
}

/// Runs `body(server&, clients&)` beside a server whose backlog holds all clients when it starts.
template <std::size_t Count, class Body>
void with_backlog(const limits& allowed, Body body) {
    coracle::run(serve_backlog<Count>(allowed, std::move(body)));
}

/// Returns how many iterations of the loop it takes until `done()`.
template <class Done>
task<int> iterations_until(Done done) {
    int iterations = 0;
    for (; !done(); ++iterations)
        co_await coracle::yield();
    co_return iterations;
}

constexpr std::size_t far_more_than_kernels_keep = 100'000'000;

} // namespace

TEST_CASE("chat: a client that resets its connection has left") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.skip_to("* guest2 is now bob");
        reset(bob);
        co_await alice.expect("* bob left");
    });
}

TEST_CASE("chat: the last lines of a half-closed client count, and it gets its answers") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.skip_to("* guest2 is now bob");
        co_await bob.send("first\n/who\nno end of line");
        bob.stream().shutdown(coracle::shutdown_direction::write);
        co_await alice.expect("<bob> first");
        co_await alice.expect("<bob> no end of line");
        co_await alice.expect("* bob left");
        co_await bob.expect("* here: alice, bob");
        co_await bob.expect_end();
    });
}

TEST_CASE("chat: a client that goes away in the middle of a line has left") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        co_await alice.join(room, "alice");
        for (const bool by_reset : {false, true}) {
            client bob;
            co_await bob.join(room, "bob");
            co_await alice.skip_to("* guest" + std::to_string(by_reset ? 3 : 2) + " is now bob");
            co_await bob.send("/nick ca");
            if (by_reset)
                reset(bob);
            else
                bob.stream().close();
            const std::string left = co_await alice.line();
            CHECK((left == "* bob left" || left == "* bob is now ca"));
            if (left != "* bob left")
                co_await alice.expect("* ca left");
        }
    });
}

TEST_CASE("chat: a client that does not read is dropped, and nobody waits for it") {
    limits allowed;
    allowed.outbox_bytes = 16384;
    with_server(allowed, [](server& room) -> task<> {
        client alice;
        client bob;
        client slow;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await slow.join(room, "slow");
        slow.stream().set_receive_buffer_size(4096);
        co_await alice.skip_to("* guest3 is now slow");
        co_await bob.skip_to("* guest3 is now slow");

        const std::string last = co_await talk(alice, bob, far_more_than_kernels_keep);
        CHECK(last == "* slow left (too slow to read)");
        co_await alice.expect("* slow left (too slow to read)");
        slow.stream().set_receive_buffer_size(1'000'000); // or the rest would take seconds
        co_await slow.skip_to_end();
        co_await alice.say("/who");
        co_await alice.expect("* here: alice, bob");
    });
}

TEST_CASE("chat: a silent client is told so and let go") {
    limits allowed;
    allowed.idle_timeout = 30ms;
    with_server(allowed, [](server& room) -> task<> {
        client alice;
        co_await alice.connect(room);
        co_await alice.expect("* welcome, guest1; /help lists what you can do");
        co_await alice.expect("! you were silent for too long");
        co_await alice.expect_end();
    });
}

TEST_CASE("chat: a client that only sends a part of a line is silent too") {
    limits allowed;
    allowed.idle_timeout = 30ms;
    with_server(allowed, [](server& room) -> task<> {
        client alice;
        co_await alice.connect(room);
        co_await alice.send("I am");
        co_await alice.skip_to("! you were silent for too long");
        co_await alice.expect_end();
    });
}

TEST_CASE("chat: without an idle time-out a session works as well") {
    limits allowed;
    allowed.idle_timeout = 0ms;
    with_server(allowed, [](server& room) -> task<> {
        client alice;
        co_await alice.join(room, "alice");
        co_await alice.say("/who");
        co_await alice.expect("* here: alice");
        co_await alice.say("/quit");
        co_await alice.expect("* goodbye");
        co_await alice.expect_end();
    });
}

TEST_CASE("chat: beyond the limit of sessions a client is told so, and a place gets free again") {
    limits allowed;
    allowed.max_sessions = 2;
    with_server(allowed, [](server& room) -> task<> {
        client one;
        client two;
        co_await one.join(room, "one");
        co_await two.join(room, "two");
        for (int i = 0; i < 3; ++i) {
            client refused;
            co_await refused.connect(room);
            co_await refused.expect("! the server is full, with 2 sessions; try again later");
            co_await refused.expect_end();
        }
        co_await one.say("/quit");
        co_await one.skip_to("* goodbye");
        co_await one.expect_end();
        client three;
        co_await three.join(room, "three");
        co_await two.skip_to("* guest3 is now three");
    });
}

TEST_CASE(
    "chat: beyond the limit for one address a client is told so, and a place gets free again") {
    limits allowed;
    allowed.max_per_address = 2;
    with_server(allowed, [](server& room) -> task<> {
        client one;
        client two;
        co_await one.join(room, "one");
        co_await two.join(room, "two");
        for (int i = 0; i < 3; ++i) {
            client refused;
            co_await refused.connect(room);
            co_await refused.expect("! your address may have at most 2 sessions; try again later");
            co_await refused.expect_end();
        }
        co_await one.say("/quit");
        co_await one.skip_to("* goodbye");
        co_await one.expect_end();
        client three;
        co_await three.join(room, "three");
        co_await two.skip_to("* guest3 is now three");
    });
}

TEST_CASE("chat: a connection that is reset before it is accepted harms nobody") {
    const auto body = []() -> task<> {
        server tested(coracle::tcp_listener::bind(coracle::address::loopback_v4(0)), limits());
        client gone;
        client stays;
        co_await gone.connect(tested);
        reset(gone);
        co_await stays.connect(tested);
        auto both = [&](coracle::task_group& jobs) -> task<> {
            jobs.start(tested.run());
            const std::string welcome = co_await stays.line();
            CHECK(welcome.starts_with("* welcome, guest"));
            tested.stop();
        };
        co_await finish_in_time(coracle::with_task_group(both));
    };
    coracle::run(body());
}

TEST_CASE("chat: a crowd that waits is accepted in as few iterations as accept_many needs") {
    constexpr std::size_t crowd = 60;
    int needed = 0;
    const auto measure = [&needed]() -> task<> {
        coracle::tcp_listener listener =
            coracle::tcp_listener::bind(coracle::address::loopback_v4(0));
        std::vector<coracle::tcp_stream> both_ends;
        for (std::size_t i = 0; i < crowd; ++i)
            both_ends.push_back(co_await coracle::tcp_stream::connect(listener.local_address()));
        auto accept = [&]() -> task<> {
            coracle::multishot_accept incoming = listener.accept_many();
            while (both_ends.size() < 2 * crowd)
                both_ends.push_back(co_await incoming.next());
        };
        auto count = [&](coracle::task_group& jobs) -> task<> {
            jobs.start(accept());
            needed = co_await iterations_until([&] { return both_ends.size() == 2 * crowd; });
        };
        co_await coracle::with_task_group(count);
    };
    coracle::run(measure());
    with_backlog<crowd>(limits(), [needed](server& room, std::array<client, crowd>&) -> task<> {
        const int taken =
            co_await iterations_until([&room] { return room.sessions().size() == crowd; });
        CHECK(taken <= needed + 3);
        room.stop();
    });
}

TEST_CASE("chat: connections that come all at once do not slip past the limit") {
    limits allowed;
    allowed.max_sessions = 5;
    with_backlog<40>(allowed, [](server& room, std::array<client, 40>& clients) -> task<> {
        std::size_t refused = 0;
        for (client& each : clients) {
            const std::string first = co_await each.line();
            refused += first.starts_with("! ") ? 1 : 0;
        }
        CHECK(refused == clients.size() - 5);
        room.stop();
    });
}

TEST_CASE("chat: a server that stops tells everyone, takes nobody, and lets outboxes drain") {
    with_server(limits(), [](server& room) -> task<> {
        const coracle::address where = room.local_address();
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        room.stop();
        co_await alice.skip_to("* server is going down");
        co_await alice.expect_end(); // and not that bob left
        co_await bob.expect("* server is going down");
        co_await bob.expect_end();
        const coracle::result<coracle::tcp_stream> late =
            co_await coracle::as_result(coracle::tcp_stream::connect(where));
        CHECK(late.error() == std::errc::connection_refused);
    });
}

TEST_CASE("chat: a server that stops gives a client up that does not read") {
    limits allowed;
    allowed.outbox_bytes = 2'000'000;
    allowed.drain_time = 30ms;
    const auto let_it_stop = [](limits its_limits) -> task<> {
        server room(coracle::tcp_listener::bind(coracle::address::loopback_v4(0)), its_limits);
        client slow; // which is there until the server has ended
        auto both = [&](coracle::task_group& jobs) -> task<> {
            jobs.start(room.run());
            client alice;
            client bob;
            co_await alice.join(room, "alice");
            co_await slow.join(room, "slow");
            slow.stream().set_receive_buffer_size(4096);
            co_await bob.join(room, "bob");
            const std::string last = co_await talk(alice, bob, 1'000'000);
            CHECK(last.starts_with("<alice> "));
            room.stop();
            co_await bob.expect("* server is going down");
            co_await bob.expect_end();
        };
        co_await finish_in_time(coracle::with_task_group(both));
    };
    coracle::run(let_it_stop(allowed));
}

TEST_CASE("chat: a server that stops while a client arrives ends at every point of that") {
    for (int iterations = 0; iterations < 30; ++iterations) {
        CAPTURE(iterations);
        with_backlog<1>(limits(),
                        [iterations](server& room, std::array<client, 1>& late) -> task<> {
                            for (int i = 0; i < iterations; ++i)
                                co_await coracle::yield();
                            room.stop();
                            co_await late[0].skip_to_end();
                        });
    }
}

TEST_CASE("chat: a server that is cancelled takes its sessions along") {
    with_server(limits(), [](server& unused) -> task<> {
        static_cast<void>(unused);
        server cancelled(coracle::tcp_listener::bind(coracle::address::loopback_v4(0)), limits());
        client alice;
        client bob;
        auto both = [&](coracle::task_group& jobs) -> task<> {
            jobs.start(cancelled.run());
            co_await alice.join(cancelled, "alice");
            co_await bob.join(cancelled, "bob");
            jobs.cancel();
        };
        co_await coracle::with_task_group(both);
        CHECK(cancelled.here().size() == 0);
        co_await alice.skip_to_end();
        co_await bob.skip_to_end();
    });
}
