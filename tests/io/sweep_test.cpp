// SPDX-License-Identifier: MIT
//
// The cancellation sweep: a scenario that uses everything is cancelled at its first suspension, at
// its second, and so on until it is no longer reached by the cancellation. Each time all operations
// retire, nothing is left over, and the loop goes on.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// A short conversation: connect, accept, write, read, gather, scatter, lines and limits of time.
task<> client(address server) {
    tcp_stream peer = co_await with_timeout(10s, tcp_stream::connect(server));
    peer.set_no_delay(true); // or the kernel would hold small writes back, for many turns
    co_await peer.write("hello\nworld\n");
    const std::array parts = {const_buffer("and "), const_buffer("more\n")};
    co_await with_timeout(10s, peer.write(std::span<const const_buffer>(parts)));
    std::string answer(6, '\0');
    const std::size_t count = co_await peer.read_exactly(answer);
    CHECK(count == 6);
    peer.shutdown(shutdown_direction::write);
    const std::array into = {mutable_buffer(answer.data(), 2), mutable_buffer(answer.data(), 4)};
    const std::size_t end =
        co_await with_timeout(10s, peer.read(std::span<const mutable_buffer>(into)));
    CHECK(end == 0);
}

task<> session(tcp_stream peer) {
    peer.set_no_delay(true);
    line_reader lines(peer, 100);
    for (;;) {
        const auto line = co_await with_timeout(10s, lines.next());
        if (!line)
            co_return;
        const std::string answer = line->substr(0, 2) == "he" ? "an" : "sw";
        co_await peer.write(answer);
    }
}

task<> scenario() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    for (int i = 0; i < 2; ++i) {
        auto serving = [&]() -> task<> {
            tcp_stream peer = co_await with_timeout(10s, listener.accept());
            co_await session(std::move(peer));
        };
        co_await when_all(client(listener.local_address()), serving());
    }
}

/// Steps of the jobs that a sweep looks at within each turn of the loop.
constexpr int steps_in_turn = 24;

/// Runs `scenario` and cancels it after so many turns of the loop and steps of its jobs. True if it
/// came to its end before that.
task<bool> cancel_after(int turn, int step) {
    bool ended = false;
    auto body = [&](task_group& group) -> task<> {
        auto running = [&]() -> task<> {
            co_await scenario();
            ended = true;
        };
        group.start(running);
        for (int i = 0; i < turn && !ended; ++i)
            co_await sleep_for(0ns);
        for (int i = 0; i < step && !ended; ++i)
            co_await yield();
        if (!ended)
            group.cancel();
    };
    co_await with_task_group(body);
    co_return ended;
}

} // namespace

TEST_CASE("sweep: cancelled between any two steps, a scenario leaves nothing") {
    constexpr int most = 5000;
    int moment = 0;
    for (bool ended = false; !ended && moment < most; ++moment) {
        CAPTURE(moment);
        run_clean([&]() -> task<> {
            ended = co_await cancel_after(moment / steps_in_turn, moment % steps_in_turn);
            connection ends = co_await connect_ends(); // the loop is as good as before
            co_await ends.here.write("x");
            const std::string text = co_await read_text(ends.there, 1);
            CHECK(text == "x");
        });
    }
    CHECK(moment > steps_in_turn);
    CHECK(moment < most);
}

TEST_CASE("sweep: a limit of time that ends at any moment leaves nothing") {
    for (auto limit = 0us; limit < 400us; limit += 5us) {
        CAPTURE(limit.count());
        run_clean([&]() -> task<> {
            const auto done = co_await as_result(with_timeout(limit, scenario()));
            if (!done)
                CHECK(done.error() == std::errc::timed_out);
        });
    }
}
