// SPDX-License-Identifier: MIT
//
// Pools of buffers that the kernel knows are made, used and ended, under a limit that allows
// one of them and no second one. Then the same with a new context for each.
//
// usage: registered_buffers_coroutine LOCKABLE-BYTES CYCLES CONTEXTS
#include "locked_memory.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <string_view>
#include <sys/socket.h>

using namespace coracle;

namespace {

constexpr std::size_t buffers = 16;
constexpr std::size_t buffer_bytes = 4096;

struct counts {
    long long cycles = 0;
    long long registered = 0;
    long long wrong_bytes = 0;
};

counts counted;

/// A pool's life: a message from one of its buffers into another one.
task<> cycle(tcp_stream& here, tcp_stream& there) {
    buffer_pool pool(buffers, buffer_bytes, registration::wanted);
    ++counted.cycles;
    counted.registered += pool.registered() ? 1 : 0;
    buffer_lease sent = co_await pool.lease();
    sent.resize(64);
    std::fill(sent.begin(), sent.end(), static_cast<std::byte>(counted.cycles));
    co_await here.write(sent);
    buffer_lease got = co_await pool.lease();
    got.resize(sent.size());
    co_await there.read_exactly(got);
    counted.wrong_bytes += std::equal(sent.begin(), sent.end(), got.begin()) ? 0 : 1;
}

task<> cycle_often(long long count) {
    std::array<int, 2> ends = {};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    tcp_stream here = tcp_stream::adopt(ends[0]);
    tcp_stream there = tcp_stream::adopt(ends[1]);
    for (long long i = 0; i < count; ++i)
        co_await cycle(here, there);
}

void tell_counts(bool for_contexts) {
    test::tell(for_contexts ? "context_cycles" : "cycles", counted.cycles);
    test::tell(for_contexts ? "context_registered" : "registered", counted.registered);
    test::tell(for_contexts ? "context_wrong_bytes" : "wrong_bytes", counted.wrong_bytes);
    counted = counts();
}

} // namespace

int main(int, char** arguments) {
    test::become_user_with(static_cast<std::size_t>(std::atoll(arguments[1])));
    const long long cycles = std::atoll(arguments[2]);
    const long long contexts = std::atoll(arguments[3]);
    context_options options;
    options.ring_entries = 8; // a ring counts as locked memory too
    const long long pinned_before = test::pinned_bytes();
    {
        context here(options);
        here.run(cycle_often(10));
        counted = counts();
        const test::figures before = test::take_figures();
        here.run(cycle_often(cycles));
        const test::figures after = test::take_figures();
        tell_counts(false);
        test::tell("pinned_bytes_left", test::pinned_bytes() - pinned_before);
        test::tell("blocks_left", static_cast<long long>(after.live_blocks - before.live_blocks));
        test::tell("mapped_growth",
                   static_cast<long long>(after.mapped_bytes - before.mapped_bytes));
        test::tell("descriptors_left",
                   static_cast<long long>(after.descriptors - before.descriptors));
    }
    // What a context had locked is given back some time after its end: until then the next one says
    // that it does without.
    set_warning_handler([](std::string_view) noexcept {});
    for (long long i = 0; i < contexts; ++i)
        run(cycle_often(1), options);
    tell_counts(true);
    test::tell("leases_left", static_cast<long long>(usage().leases));
}
