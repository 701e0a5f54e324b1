// SPDX-License-Identifier: MIT
//
// Many clients that join, talk and leave in every way. Nothing may be left of them.
#include "chat_client.hpp"

#include <random>

using chat::limits;
using chat::server;
using chat::test::client;
using chat::test::open_descriptors;
using chat::test::task;
using chat::test::with_server;

namespace {

/// One short session; `random` chooses how it ends.
task<> connect_and_leave(const server& room, int number, unsigned random) {
    client guest;
    co_await guest.connect(room);
    const std::string welcome = co_await guest.line();
    REQUIRE(welcome.starts_with("* welcome, guest"));
    if (random % 2 == 0)
        co_await guest.say("/nick number" + std::to_string(number));
    co_await guest.say("I am number " + std::to_string(number));
    switch (random / 2 % 4) {
    case 0:
        co_await guest.say("/quit");
        co_await guest.skip_to_end();
        break;
    case 1:
        guest.stream().shutdown(coracle::shutdown_direction::write);
        co_await guest.skip_to_end();
        break;
    case 2:
        guest.stream().set_linger(std::chrono::seconds(0));
        break;
    default:
        co_await guest.send("not even the end of a li");
        break;
    }
}

/// Reads until `guests` clients have left.
task<> wait_until_left(client& host, int guests) {
    for (int left = 0; left < guests;) {
        const std::string line = co_await host.line();
        left += line.starts_with("* ") && line.ends_with(" left") ? 1 : 0;
    }
}

task<> run_crowd(const server& room, client& host, unsigned seed) {
    constexpr int guests = 200;
    std::mt19937 random(seed);
    auto crowd = [&](coracle::task_group& jobs) -> task<> {
        for (int i = 0; i < guests; ++i)
            jobs.start(connect_and_leave(room, i, static_cast<unsigned>(random())));
        co_await wait_until_left(host, guests);
    };
    co_await coracle::with_task_group(crowd);
}

} // namespace

TEST_CASE("chat: two hundred come and go in every way, and nothing is left of them") {
    limits allowed;
    allowed.max_per_address = 0;
    with_server(allowed, [](server& room) -> task<> {
        client host;
        co_await host.join(room, "host");
        co_await host.say("/who");
        co_await host.expect("* here: host");
        const std::size_t frames_before = coracle::usage().live_frames;
        const std::size_t descriptors_before = open_descriptors().size();
        for (const unsigned seed : {1U, 2U, 3U}) {
            CAPTURE(seed);
            co_await run_crowd(room, host, seed);
            co_await host.say("/who");
            co_await host.expect("* here: host");
            CHECK(room.here().size() == 1);
            CHECK(coracle::usage().live_frames == frames_before);
            CHECK(open_descriptors().size() == descriptors_before);
        }
    });
}
