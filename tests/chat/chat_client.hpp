// SPDX-License-Identifier: MIT
//
// A chat server and its clients on one loop, over real sockets. Tests wait for lines or for end of
// stream; the guard only turns a hang into a failure. No server may leak a frame or a descriptor.
#pragma once

#include "raw_sockets.hpp"

#include <chrono>
#include <coracle/coracle.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <optional>
#include <server.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace chat::test {

using coracle::task;
using coracle::test::open_descriptors;

inline constexpr std::chrono::seconds guard{60};

class client {
public:
    client() = default;
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    [[nodiscard]] coracle::tcp_stream& stream() noexcept { return stream_; }

    [[nodiscard]] task<> connect(const server& to) {
        stream_ =
            co_await coracle::with_timeout(guard, coracle::tcp_stream::connect(to.local_address()));
        stream_.set_no_delay(true);
    }

    /// Connects, takes a name, and reads the lines about both.
    [[nodiscard]] task<> join(const server& to, std::string name) {
        co_await connect(to);
        const std::string welcome = co_await line();
        REQUIRE(welcome.starts_with("* welcome, guest"));
        co_await say("/nick " + name);
        const std::string renamed = co_await line();
        REQUIRE(renamed.ends_with(" is now " + name));
    }

    [[nodiscard]] task<> send(std::string bytes) {
        co_await coracle::with_timeout(guard, stream_.write(bytes));
    }

    [[nodiscard]] task<> say(std::string text) { co_await send(std::move(text) + "\n"); }

    /// The next line; nothing at end of stream or after a reset.
    [[nodiscard]] task<std::optional<std::string>> line_or_end() {
        const coracle::result<std::optional<std::string_view>> next =
            co_await coracle::as_result(coracle::with_timeout(guard, lines_.next()));
        REQUIRE(next.error() != std::errc::timed_out);
        std::optional<std::string> text;
        if (next && next->has_value())
            text = **next;
        co_return text;
    }

    [[nodiscard]] task<std::string> line() {
        const std::optional<std::string> next = co_await line_or_end();
        REQUIRE(next.has_value());
        co_return *next;
    }

    /// Checks that the next line is `wanted`.
    [[nodiscard]] task<> expect(std::string wanted) {
        const std::string next = co_await line();
        CHECK(next == wanted);
    }

    /// Reads lines until `wanted`.
    [[nodiscard]] task<> skip_to(std::string wanted) {
        for (;;) {
            const std::optional<std::string> next = co_await line_or_end();
            INFO("waiting for: ", wanted);
            REQUIRE(next.has_value());
            if (*next == wanted)
                co_return;
        }
    }

    /// Checks that the next thing is end of stream.
    [[nodiscard]] task<> expect_end() {
        const std::optional<std::string> next = co_await line_or_end();
        CHECK(next.value_or("the end") == "the end");
    }

    /// Reads and ignores lines until end of stream.
    [[nodiscard]] task<> skip_to_end() {
        for (;;) {
            const std::optional<std::string> next = co_await line_or_end();
            if (!next)
                co_return;
        }
    }

private:
    coracle::tcp_stream stream_;
    coracle::line_reader<coracle::tcp_stream> lines_{stream_, 1 << 20};
};

/// Awaits `whole`. Not by with_timeout, since a cancelled server ends without an error.
inline task<> finish_in_time(task<> whole) {
    const auto first = co_await coracle::when_any(std::move(whole), coracle::sleep_for(2 * guard));
    REQUIRE(first.index() == 0);
}

template <class Body>
task<> serve_for(limits allowed, Body body) {
    server tested(coracle::tcp_listener::bind(coracle::address::loopback_v4(0)), allowed);
    auto both = [&](coracle::task_group& jobs) -> task<> {
        jobs.start(tested.run());
        co_await body(tested);
        tested.stop();
    };
    co_await finish_in_time(coracle::with_task_group(both));
    CHECK(tested.here().size() == 0);
    CHECK(tested.sessions().empty());
}

/// Runs `body(server&)` beside a server, and stops the server afterwards.
template <class Body>
void with_server(const limits& allowed, Body body) {
    const std::size_t frames_before = coracle::usage().live_frames;
    const std::size_t descriptors_before = open_descriptors().size();
    coracle::run(serve_for(allowed, std::move(body)));
    CHECK(coracle::usage().live_frames == frames_before);
    CHECK(open_descriptors().size() == descriptors_before);
}

} // namespace chat::test
