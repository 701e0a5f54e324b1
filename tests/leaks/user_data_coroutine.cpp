// SPDX-License-Identifier: MIT
//
// Requests and answers between fifty pairs of tasks, of which a third is cancelled, timed out or
// reset at a random moment, each of these while the answer is awaited. The request's buffer is in
// the frame, and so goes with it, whatever the end.
//
// usage: user_data_coroutine EXCHANGES SEED
#include "figures.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <random>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

using namespace coracle;

namespace {

constexpr int workers = 50;
constexpr std::size_t message_bytes = 64;

/// What the peer is asked to do; the first byte of a request.
enum order : char { answer = 'a', stay_silent = 's', reset_connection = 'r' };

/// How many exchanges have ended how.
struct gauge {
    long long answered = 0;
    long long cancelled = 0;
    long long timed_out = 0;
    long long reset = 0;
    long long otherwise = 0;
};

gauge ended;
long long still_to_do = 0;

struct connection {
    connection(tcp_stream one, tcp_stream other) : here(std::move(one)), there(std::move(other)) {}

    tcp_stream here;
    tcp_stream there;
};

connection connect_locally() {
    std::array<int, 2> ends = {};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    return connection(tcp_stream::adopt(ends[0]), tcp_stream::adopt(ends[1]));
}

task<connection> connect_by_tcp(tcp_listener& listener) {
    auto ends = co_await when_all(tcp_stream::connect(listener.local_address()), listener.accept());
    std::get<0>(ends).set_linger(std::chrono::seconds(0)); // or ports would run out
    co_return connection(std::move(std::get<0>(ends)), std::move(std::get<1>(ends)));
}

task<> iterations(unsigned count) {
    for (unsigned i = 0; i < count; ++i)
        co_await sleep_for(std::chrono::nanoseconds(0));
}

/// The other side of a connection, which does as it is told.
task<> serve(tcp_stream peer, unsigned patience) {
    std::array<char, message_bytes> message;
    for (;;) {
        const auto read = co_await as_result(peer.read_exactly(message));
        if (!read || *read == 0)
            co_return;
        if (message[0] == reset_connection) {
            co_await iterations(patience);
            co_return; // with a byte that has not been read, which makes it a reset
        }
        if (message[0] == answer)
            co_await peer.write(message);
    }
}

task<> exchange(tcp_stream& peer, order given) {
    std::array<char, message_bytes + 1> request;
    request.fill('x');
    request[0] = given;
    const std::size_t size = given == reset_connection ? message_bytes + 1 : message_bytes;
    co_await peer.write(const_buffer(request.data(), size));
    std::array<char, message_bytes> reply;
    co_await peer.read_exactly(reply);
}

void note(const result<void>& outcome) {
    if (outcome.has_value())
        ++ended.answered;
    else if (outcome.error() == std::errc::operation_canceled)
        ++ended.cancelled;
    else if (outcome.error() == std::errc::timed_out)
        ++ended.timed_out;
    else if (outcome.error() == std::errc::connection_reset)
        ++ended.reset;
    else
        ++ended.otherwise;
}

/// An exchange in a job of its own, which is cancelled after so many iterations.
task<> cancelled_exchange(tcp_stream& peer, unsigned after_iterations) {
    auto work = [&peer]() -> task<> {
        const result<void> outcome = co_await as_result(exchange(peer, stay_silent));
        note(outcome);
    };
    auto body = [&work, after_iterations](task_group& group) -> task<> {
        group.start(work);
        co_await iterations(after_iterations);
        group.cancel();
    };
    co_await with_task_group(body);
}

/// The end of a connection: cancelled, timed out or reset.
task<> disturbed_exchange(tcp_stream& peer, std::minstd_rand& random) {
    const auto kind = random() % 3;
    if (kind == 0) {
        co_await cancelled_exchange(peer, static_cast<unsigned>(random() % 4));
        co_return;
    }
    const std::chrono::microseconds limit(random() % 30);
    if (kind == 1) {
        auto limited = with_timeout(limit, exchange(peer, stay_silent));
        const result<void> outcome = co_await as_result(std::move(limited));
        note(outcome);
    } else {
        const result<void> outcome = co_await as_result(exchange(peer, reset_connection));
        note(outcome);
    }
}

/// Talks until something happens to the connection.
task<> talk(connection& ends, std::minstd_rand& random) {
    while (still_to_do > 0) {
        --still_to_do;
        if (random() % 3 == 0) {
            co_await disturbed_exchange(ends.here, random);
            co_return;
        }
        const result<void> outcome = co_await as_result(exchange(ends.here, answer));
        note(outcome);
    }
}

/// Has a listener of its own, so that the two ends that it gets belong together.
task<> work(unsigned seed) {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    std::minstd_rand random(seed);
    while (still_to_do > 0) {
        const bool by_tcp = random() % 32 == 0;
        connection ends = connect_locally();
        if (by_tcp)
            ends = co_await connect_by_tcp(listener);
        auto body = [&ends, &random](task_group& group) -> task<> {
            group.start(serve(std::move(ends.there), random() % 4));
            co_await talk(ends, random);
            ends.here.close();
        };
        co_await with_task_group(body);
    }
}

task<> work_off(long long exchanges, unsigned seed) {
    still_to_do = exchanges;
    auto body = [seed](task_group& group) -> task<> {
        for (unsigned i = 0; i < workers; ++i)
            group.start(work(seed + i));
        co_return;
    };
    co_await with_task_group(body);
}

/// Each run returns when all that it has done is over, so that the figures are exact.
void measure(context& here, long long exchanges, unsigned seed) {
    here.run(work_off(std::max(exchanges / 50, 5000LL), seed));
    ended = gauge();
    const usage_report usage_before = usage();
    const test::figures before = test::take_figures();
    here.run(work_off(exchanges, seed + workers));
    const test::figures after = test::take_figures();
    const usage_report usage_after = usage();

    test::tell_difference("frames_left", usage_after.live_frames, usage_before.live_frames);
    test::tell_difference("frame_bytes_left", usage_after.live_bytes, usage_before.live_bytes);
    test::tell_difference("slab_growth", usage_after.slab_bytes, usage_before.slab_bytes);
    test::tell_left(after, before);
}

} // namespace

int main(int, char** arguments) {
    const long long exchanges = std::atoll(arguments[1]);
    const auto seed = static_cast<unsigned>(std::atoll(arguments[2]));
    const std::size_t frames_before = usage().live_frames;
    {
        context here;
        measure(here, exchanges, seed);
        test::tell("operations_in_flight", static_cast<long long>(here.operations_in_flight()));
        test::tell("open_sockets", static_cast<long long>(here.open_sockets()));
    }
    test::tell("seed", seed);
    test::tell("frames_at_the_end", static_cast<long long>(usage().live_frames - frames_before));
    test::tell("answered", ended.answered);
    test::tell("cancelled", ended.cancelled);
    test::tell("timed_out", ended.timed_out);
    test::tell("reset", ended.reset);
    test::tell("otherwise", ended.otherwise);
}
