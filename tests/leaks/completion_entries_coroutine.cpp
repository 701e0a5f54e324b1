// SPDX-License-Identifier: MIT
//
// Ten readers wait; each round has one byte for each of them, and ends when all have come. An
// iteration of the loop asks the kernel once, so iterations are polls, and each byte is one
// completion.
//
// usage: completion_entries_coroutine POLLS COMPLETIONS
#include "figures.hpp"

#include <array>
#include <cerrno>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <sys/socket.h>
#include <system_error>
#include <vector>

using namespace coracle;

namespace {

constexpr int readers = 5;

long long polls = 0;
long long completions = 0;

task<> read_bytes(tcp_stream from) {
    char byte = 0;
    for (;;) {
        const std::size_t count = co_await from.read(mutable_buffer(&byte, 1));
        if (count == 0)
            co_return;
        ++completions;
    }
}

task<> one_round(const std::vector<tcp_stream>& writers) {
    const long long goal = completions + 2LL * readers;
    for (const tcp_stream& each : writers) {
        if (::send(static_cast<int>(each.handle()), "xx", 2, MSG_NOSIGNAL) != 2)
            throw std::system_error(errno, std::generic_category(), "send");
    }
    while (completions < goal) {
        co_await sleep_for(std::chrono::nanoseconds(0));
        ++polls;
    }
}

task<> measure(std::vector<tcp_stream>& writers, long long max_polls, long long max_completions) {
    constexpr int warm_up = 2000;
    for (int i = 0; i < warm_up; ++i)
        co_await one_round(writers);
    polls = 0;
    completions = 0;
    const test::figures first = test::take_figures();
    const test::figures before = test::take_figures();
    const std::size_t slab_bytes = usage().slab_bytes;
    while (polls < max_polls || completions < max_completions)
        co_await one_round(writers);
    const test::figures after = test::take_figures();

    const std::size_t own_allocations = before.allocations - first.allocations;
    test::tell_difference("allocations", after.allocations, before.allocations + own_allocations);
    test::tell_difference("blocks_left", after.live_blocks, before.live_blocks);
    test::tell_difference("mapped_growth", after.mapped_bytes, before.mapped_bytes);
    test::tell_difference("resident_growth", after.resident_bytes, before.resident_bytes);
    test::tell_difference("slab_growth", usage().slab_bytes, slab_bytes);
    writers.clear();
}

task<> all(long long max_polls, long long max_completions) {
    std::vector<tcp_stream> writers;
    auto body = [&writers, max_polls, max_completions](task_group& group) -> task<> {
        for (int i = 0; i < readers; ++i) {
            std::array<int, 2> ends = {};
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
                throw std::system_error(errno, std::generic_category(), "socketpair");
            group.start(read_bytes(tcp_stream::adopt(ends[0])));
            writers.push_back(tcp_stream::adopt(ends[1]));
        }
        co_await measure(writers, max_polls, max_completions);
    };
    co_await with_task_group(body);
}

} // namespace

int main(int, char** arguments) {
    run(all(std::atoll(arguments[1]), std::atoll(arguments[2])));
    test::tell("polls", polls);
    test::tell("completions", completions);
}
