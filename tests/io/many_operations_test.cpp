// SPDX-License-Identifier: MIT
//
// Far more operations at once than a ring holds: they all complete, and cancelling gets through.
// And jobs that never have to wait do not starve the others.

#include "clean_run.hpp"
#include "connected.hpp"
#include "instrumented.hpp"

#include <algorithm>
#include <coracle/coracle.hpp>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

constexpr std::size_t operations = 10'000;

/// The least ring that there is: 8 requests and 128 completions.
context_options smallest_ring() {
    context_options options;
    options.ring_entries = 8;
    return options;
}

/// As many pairs of sockets as the limit on descriptors allows, up to half of `operations`.
class socket_pairs {
public:
    socket_pairs() {
        const std::size_t count = std::min(operations / 2, descriptors_to_be_had() / 2);
        for (std::size_t i = 0; i < count; ++i) {
            const auto [one, other] = raw_pair();
            streams.push_back(tcp_stream::adopt(one));
            streams.push_back(tcp_stream::adopt(other));
        }
    }

    std::vector<tcp_stream> streams; // each with its peer beside it
};

task<> read_one(stream& from, char expected, std::size_t& done) {
    char byte = 0;
    co_await from.read(mutable_buffer(&byte, 1));
    CHECK(byte == expected);
    ++done;
}

task<> write_one(stream& to, char byte) {
    co_await to.write(const_buffer(&byte, 1));
}

/// The processor time that it takes to cancel so many writes that wait for their turn.
std::clock_t time_to_cancel(std::size_t writes) {
    std::clock_t time = 0;
    run_clean([&]() -> task<> {
        connection ends = co_await connect_ends();
        const std::string text(too_much, 'x');
        auto first = [&]() -> task<> { co_await ends.here.write(text); };
        auto body = [&](task_group& group) -> task<> {
            group.start(first);
            for (std::size_t i = 0; i < writes; ++i)
                group.start(write_one, std::ref(ends.here), 'x');
            co_await iterations();
            const std::clock_t begin = std::clock();
            group.cancel();
            time = std::clock() - begin;
        };
        co_await with_task_group(body);
    });
    return time;
}

task<> sleep_long() {
    co_await sleep_for(1h);
}

} // namespace

TEST_CASE("many operations: ten thousand reads through the smallest ring all complete") {
    run_clean(
        []() -> task<> {
            socket_pairs pairs;
            std::size_t done = 0;
            auto body = [&](task_group& group) -> task<> {
                for (std::size_t i = 0; i < pairs.streams.size(); ++i)
                    group.start(read_one(pairs.streams[i], static_cast<char>(i / 2), done));
                co_await iterations();
                CHECK(done == 0);
                CHECK(context::current().operations_in_flight() == pairs.streams.size());
                // At once and behind the loop's back, so that the completions overflow.
                for (std::size_t i = 0; i < pairs.streams.size() / 2; ++i) {
                    const char byte = static_cast<char>(i / 2);
                    send_raw(pairs.streams[i ^ 1], std::string_view(&byte, 1));
                }
                for (std::size_t i = pairs.streams.size() / 2; i < pairs.streams.size(); ++i)
                    group.start(write_one(pairs.streams[i ^ 1], static_cast<char>(i / 2)));
            };
            co_await with_task_group(body);
            CHECK(done == pairs.streams.size());
        },
        smallest_ring());
}

TEST_CASE("many operations: ten thousand at once are cancelled through the smallest ring") {
    run_clean(
        []() -> task<> {
            socket_pairs pairs;
            std::size_t done = 0;
            auto body = [&](task_group& group) -> task<> {
                for (std::size_t i = 0; i < pairs.streams.size(); ++i) {
                    group.start(read_one(pairs.streams[i], 'x', done));
                    group.start(sleep_long());
                }
                co_await iterations();
                CHECK(context::current().operations_in_flight() == pairs.streams.size());
                group.cancel();
            };
            co_await with_task_group(body);
            CHECK(done == 0);
        },
        smallest_ring());
}

TEST_CASE("many operations: cancelled as they are submitted, and as they complete") {
    run_clean(
        []() -> task<> {
            socket_pairs pairs;
            for (const bool sent : {false, true}) {
                CAPTURE(sent);
                std::size_t done = 0;
                auto body = [&](task_group& group) -> task<> {
                    for (std::size_t i = 0; i < pairs.streams.size(); ++i)
                        group.start(read_one(pairs.streams[i], 'x', done));
                    co_await yield();
                    if (sent) {
                        co_await iterations();
                        for (tcp_stream& each : pairs.streams)
                            send_raw(each, "x");
                    }
                    group.cancel();
                };
                co_await with_task_group(body);
                CHECK(done <= pairs.streams.size());
            }
        },
        smallest_ring());
}

TEST_CASE("many operations: a peer that always has data does not starve another job") {
    run_clean([]() -> task<> {
        connection busy = co_await connect_ends();
        connection calm = co_await connect_ends();
        std::size_t rounds = 0;
        bool ended = false;
        auto flooding = [&]() -> task<> {
            std::string text(4096, 'x');
            while (!ended) { // always something to read, never a full send buffer
                co_await busy.here.write(text);
                co_await busy.there.read_exactly(text);
                ++rounds;
            }
        };
        auto talking = [&]() -> task<> {
            for (int i = 0; i < 100; ++i) {
                co_await calm.here.write("ping"sv);
                co_await read_text(calm.there, 4);
                co_await sleep_for(1us);
            }
            ended = true;
        };
        co_await when_all(flooding(), talking());
        CHECK(rounds > 100);
        CHECK(rounds < 100 * 1000); // each time, the calm one waited for a few hundred at most
    });
}

TEST_CASE("many operations: a long chain of calls that complete at once needs no deep stack") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        constexpr int depth = 20'000;
        std::size_t bytes = 0;
        auto dive = [&](auto& self, int left) -> task<> {
            co_await ends.here.write("x"sv);
            char byte = 0;
            bytes += co_await ends.there.read(mutable_buffer(&byte, 1));
            if (left > 0)
                co_await self(self, left - 1);
        };
        co_await dive(dive, depth);
        CHECK(bytes == depth + 1);
    });
}

TEST_CASE("many operations: those that wait for one socket are cancelled in linear time") {
    constexpr std::size_t writes =
        instrumented ? 1'000 : 4'000; // a sanitizer takes a minute for more
    std::clock_t few = time_to_cancel(writes);
    std::clock_t many = time_to_cancel(10 * writes);
    for (int i = 0; i < 2; ++i) {
        few = std::min(few, time_to_cancel(writes));
        many = std::min(many, time_to_cancel(10 * writes));
    }
    CHECK(many < 40 * (few + 10)); // a hundred times as long in quadratic time
}
