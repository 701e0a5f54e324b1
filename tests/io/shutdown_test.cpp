// SPDX-License-Identifier: MIT
//
// The end of a program that has ten thousand things under way (a thousand where there are no more
// descriptors to be had): all of them retire, in as many polls as the kernel needs to hand over
// what it had. The clock stands still meanwhile, so nothing can be left to a timer.

#include "instrumented.hpp"
#include "kernel_loop.hpp"

#include <algorithm>
#include <coracle/coracle.hpp>
#include <cstddef>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t wanted = instrumented ? 1'000 : 10'000;

/// How many there are of each kind, and what they wait on.
struct crowd {
    crowd() {
        // 7 of 10 need the kernel, and nearly one descriptor each.
        const std::size_t all = std::min(wanted, descriptors_to_be_had());
        pairs = all * 3 / 10;
        listeners = all / 20;
        connects = all / 20;
        waiters = all / 10;
        for (std::size_t i = 0; i < pairs; ++i) {
            const auto ends = raw_pair();
            streams.push_back(tcp_stream::adopt(ends.first));
            streams.back().set_send_buffer_size(4096);
            peers.push_back(tcp_stream::adopt(ends.second));
        }
        for (std::size_t i = 0; i < listeners; ++i)
            listening.push_back(tcp_listener::bind(address::loopback_v4(0)));
        listen_options least;
        least.backlog = 0;
        full = tcp_listener::bind(address::loopback_v4(0), least);
    }

    [[nodiscard]] std::size_t in_kernel() const noexcept {
        return 2 * pairs + listeners + connects;
    }

    [[nodiscard]] std::size_t jobs() const noexcept { return in_kernel() + 3 * waiters; }

    std::size_t pairs;     // a read and a write each, that wait
    std::size_t listeners; // an accept each
    std::size_t connects;  // to one that takes no more
    std::size_t waiters;   // of each other kind
    std::vector<tcp_stream> streams;
    std::vector<tcp_stream> peers;
    std::vector<tcp_listener> listening;
    tcp_listener full;
    event never;
    std::string text = std::string(1'000'000, 'x'); // more than any pair takes
};

/// Counts those who end because they were cancelled, and nobody else.
template <class Awaitable>
task<> counted(Awaitable awaited, std::size_t& cancelled) {
    const auto ended = co_await as_result(std::move(awaited));
    cancelled += ended.error() == std::errc::operation_canceled;
}

task<> read_one(stream& from, std::size_t& cancelled) {
    char byte = 0;
    co_await counted(from.read(mutable_buffer(&byte, 1)), cancelled);
}

void start_all(crowd& all, task_group& group, std::size_t& cancelled) {
    for (tcp_stream& each : all.streams) {
        group.start(read_one(each, cancelled));
        group.start(counted(each.write(all.text), cancelled));
    }
    for (tcp_listener& each : all.listening)
        group.start(counted(each.accept(), cancelled));
    for (std::size_t i = 0; i < all.connects; ++i)
        group.start(counted(tcp_stream::connect(all.full.local_address()), cancelled));
    for (std::size_t i = 0; i < all.waiters; ++i) {
        group.start(counted(sleep_for(1h + i * 1s), cancelled));
        group.start(counted(all.never.wait(), cancelled));
        group.start(counted(with_timeout(2h, all.never.wait()), cancelled));
    }
}

void shut_down(const context_options& options) {
    kernel_loop on(options);
    on.run([&]() -> task<> {
        crowd all;
        // The first one fits into the backlog of the listener, and no other after it.
        const tcp_stream first = co_await tcp_stream::connect(all.full.local_address());
        std::size_t cancelled = 0;
        std::size_t polls_before = 0;
        auto body = [&](task_group& group) -> task<> {
            start_all(all, group, cancelled);
            co_await iterations(8);
            CHECK(cancelled == 0);
            CHECK(on.port.kernel().operations_in_flight() == all.in_kernel());
            CHECK(loop::current().timer_wheel().size() == 2 * all.waiters);
            on.port.stop_clock();
            polls_before = on.port.polls();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(cancelled == all.jobs());
        CHECK(on.port.kernel().operations_in_flight() == 0);
        CHECK(loop::current().timer_wheel().empty());
        // A kernel hands over 20 at least when it is asked, and an iteration resumes 256.
        const std::size_t needed = all.in_kernel() / 20 + all.jobs() / 256;
        CHECK(on.port.polls() - polls_before <= needed + 4);
    });
}

} // namespace

TEST_CASE("shutdown: ten thousand of all kinds retire, and no timer has a part in it") {
    shut_down({});
}

TEST_CASE("shutdown: the same through the smallest ring") {
    context_options options;
    options.ring_entries = 8;
    shut_down(options);
}
