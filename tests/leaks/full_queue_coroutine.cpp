// SPDX-License-Identifier: MIT
//
// Far more operations than the smallest queues hold: 8 requests and 128 completions, where io_uring
// has any. Numbers go through pairs of sockets in both ways of reading, and some of the waiting is
// cancelled at a random moment; every number must come, once and in order, and every wait must end.
//
//   numbers     written and read, with cancelled reads in between
//   multishot   received by receive_many, over connections taken by accept_many
//
// usage: full_queue_coroutine MODE MESSAGES SEED
#include "figures.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

using namespace coracle;

namespace {

constexpr long long pairs = 200;
constexpr unsigned longest_s = 120; // a guard against hanging, and nothing else

long long started = 0;         // operations
long long succeeded = 0;       // of these
long long cancelled_reads = 0; // likewise
long long wrong = 0;           // numbers that are not the next one, or other ends
long long all_in_turn = 0;     // streams of which every number came

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

void note(bool success, std::error_code error = {}) {
    if (success)
        ++succeeded;
    else if (error == std::errc::operation_canceled)
        ++cancelled_reads;
    else
        ++wrong;
}

task<> write_numbers(stream& to, std::uint64_t count) {
    for (std::uint64_t number = 0; number < count; ++number) {
        ++started;
        const auto written = co_await as_result(to.write(const_buffer(&number, sizeof number)));
        note(written.has_value(), written.error());
        // So that reads wait, and can be cancelled.
        for (int i = 0; number % 4 == 0 && i < 3; ++i)
            co_await sleep_for(std::chrono::nanoseconds(0));
    }
}

/// Reads one number; false if that was cancelled. A number is sent and taken as a whole.
task<bool> read_number(stream& from, std::uint64_t& number, bool& begun) {
    begun = true;
    ++started;
    const auto count = co_await as_result(from.read(mutable_buffer(&number, sizeof number)));
    note(count && *count == sizeof number, count.error());
    co_return count.has_value();
}

/// The same in a job of its own, which is cancelled after so many iterations.
task<bool> read_number_or_not(stream& from, std::uint64_t& number, unsigned after_iterations) {
    bool came = false;
    bool begun = false;
    auto work = [&]() -> task<> { came = co_await read_number(from, number, begun); };
    auto body = [&](task_group& group) -> task<> {
        group.start(work);
        for (unsigned i = 0; i < after_iterations; ++i)
            co_await sleep_for(std::chrono::nanoseconds(0));
        group.cancel();
    };
    co_await with_task_group(body);
    if (!begun) { // cancelled before its first await
        ++started;
        note(false, std::make_error_code(std::errc::operation_canceled));
    }
    co_return came;
}

task<> read_numbers(stream& from, std::uint64_t count, unsigned seed) {
    std::minstd_rand random(seed);
    for (std::uint64_t expected = 0; expected < count;) {
        std::uint64_t number = ~std::uint64_t{0};
        bool came = false;
        bool begun = false;
        if (random() % 4 == 0)
            came = co_await read_number_or_not(from, number, static_cast<unsigned>(random() % 3));
        else
            came = co_await read_number(from, number, begun);
        if (came && number != expected)
            ++wrong;
        expected += came;
    }
    ++all_in_turn;
}

task<> exchange_numbers(long long messages, unsigned seed) {
    std::vector<connection> connections;
    for (long long i = 0; i < pairs; ++i)
        connections.push_back(connect_locally());
    const auto each = static_cast<std::uint64_t>(messages / pairs);
    auto body = [&](task_group& group) -> task<> {
        for (connection& ends : connections) {
            group.start(write_numbers(ends.here, each));
            group.start(read_numbers(ends.there, each, ++seed));
        }
        co_return;
    };
    co_await with_task_group(body);
}

/// Sends numbers in bursts, so that many receives complete at the same time.
task<> send_bursts(address to, std::uint64_t count) {
    tcp_stream peer = co_await tcp_stream::connect(to);
    peer.set_no_delay(true);
    for (std::uint64_t number = 0; number < count; ++number) {
        ++started;
        const auto written = co_await as_result(peer.write(const_buffer(&number, sizeof number)));
        note(written.has_value(), written.error());
    }
}

/// Receives until the end of the stream; the numbers may come in pieces.
task<> receive_numbers(tcp_stream peer, buffer_pool& pool, std::uint64_t count) {
    multishot_receive incoming = peer.receive_many(pool);
    std::array<std::byte, sizeof(std::uint64_t)> piece;
    std::size_t filled = 0;
    std::uint64_t expected = 0;
    for (;;) {
        const buffer_lease bytes = co_await incoming.next();
        if (!bytes)
            break;
        for (const std::byte each : bytes) {
            piece[filled++] = each;
            if (filled < piece.size())
                continue;
            filled = 0;
            std::uint64_t number = 0;
            std::memcpy(&number, piece.data(), sizeof number);
            wrong += number != expected++;
        }
    }
    all_in_turn += expected == count;
}

task<> exchange_by_multishot(long long messages) {
    buffer_pool pool(256, 64);
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    multishot_accept incoming = listener.accept_many();
    const auto each = static_cast<std::uint64_t>(messages / pairs);
    auto body = [&](task_group& group) -> task<> {
        for (long long i = 0; i < pairs; ++i)
            group.start(send_bursts(listener.local_address(), each));
        for (long long i = 0; i < pairs; ++i)
            group.start(receive_numbers(co_await incoming.next(), pool, each));
    };
    co_await with_task_group(body);
}

} // namespace

int main(int, char** arguments) {
    const long long messages = std::atoll(arguments[2]);
    const auto seed = static_cast<unsigned>(std::atoll(arguments[3]));
    ::alarm(longest_s);
    context_options smallest;
    smallest.ring_entries = 8;
    context here(smallest);
    if (std::string_view(arguments[1]) == "numbers")
        here.run(exchange_numbers(messages, seed));
    else
        here.run(exchange_by_multishot(messages));
    test::tell("pairs", pairs);
    test::tell("started", started);
    test::tell("succeeded", succeeded);
    test::tell("cancelled", cancelled_reads);
    test::tell("wrong", wrong);
    test::tell("all_in_turn", all_in_turn);
    test::tell("operations_in_flight", static_cast<long long>(here.operations_in_flight()));
    test::tell("open_sockets", static_cast<long long>(here.open_sockets()));
}
