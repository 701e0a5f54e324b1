// SPDX-License-Identifier: MIT
//
// Rounds of two thousand connections to the chat server of the examples, each round to a server of
// its own, which end in every way: quit, reset, half-closed, closed in the middle of a line, silent
// for too long, too slow to read, and by the end of the server. After each round the server's pool
// of sessions has to be empty, and no id of a session that has ended may find anything, whoever is
// in its slot.
//
// usage: sessions_coroutine ROUNDS SEED
#include "figures.hpp"

#include <array>
#include <chrono>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <random>
#include <server.hpp>
#include <string>
#include <string_view>
#include <vector>

using namespace coracle;
using namespace std::chrono_literals;

namespace {

constexpr int connections_per_round = 2000;
constexpr int idle_clients = 16;    // of these
constexpr int staying_clients = 50; // who are there when the server ends
constexpr int workers = 4;          // who come and go one after the other
constexpr int warm_up_rounds = 2;

/// Against hanging, and nothing else: a session that does not end is named when its pool goes.
constexpr std::chrono::seconds guard = 50s;

enum ending : std::size_t { quit, reset, half_closed, cut_short, idle, too_slow, stopped, count };

constexpr std::array<const char*, ending::count> names = {
    "quit", "reset", "half_closed", "cut_short", "idle", "too_slow", "stopped"};

struct counts {
    std::array<long long, ending::count> ended = {};
    long long found_again = 0;       // ids of ended sessions that found one
    long long slots_taken_again = 0; // slots of ended sessions that had another one then
    long long sessions_left = 0;
    long long members_left = 0;
};

counts counted;

/// What one round knows of the sessions of its server.
struct round {
    round(chat::server& to, unsigned seed) : server(to), random(seed) {
        ended.reserve(connections_per_round);
    }

    chat::server& server;
    std::minstd_rand random;
    int to_come = 0;              // clients of this half that have not connected yet
    std::vector<object_id> seen;  // in this half
    std::vector<object_id> ended; // sessions of the first half
};

class client {
public:
    client() = default;
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    [[nodiscard]] tcp_stream& stream() noexcept { return stream_; }

    /// Connects and is welcomed.
    [[nodiscard]] task<> join(const chat::server& to) {
        stream_ = co_await tcp_stream::connect(to.local_address());
        co_await lines_.next();
    }

    /// Reads whatever comes, to the end, which may be a reset.
    [[nodiscard]] task<> read_to_end() {
        for (;;) {
            const auto line = co_await as_result(lines_.next());
            if (!line || !line->has_value())
                co_return;
        }
    }

    [[nodiscard]] task<> send(std::string_view text) {
        [[maybe_unused]] const auto sent = co_await as_result(stream_.write(text));
    }

private:
    tcp_stream stream_;
    line_reader<tcp_stream> lines_{stream_, 8192};
};

object_id newest(const chat::server& server) {
    object_id id;
    for (auto each = server.sessions().begin(); each != server.sessions().end(); ++each)
        id = each.id();
    return id;
}

/// That a session which has ended is not found, though another one may be in its place.
void look_for_ended(round& present) {
    const auto& sessions = present.server.sessions();
    if (present.ended.empty() || sessions.empty())
        return;
    const object_id old = present.ended[present.random() % present.ended.size()];
    counted.found_again += sessions.find(old) ? 1 : 0;
    for (auto each = sessions.begin(); each != sessions.end(); ++each)
        counted.slots_taken_again += each.id().slot == old.slot ? 1 : 0;
}

task<> leave(client& guest, ending how) {
    switch (how) {
    case quit:
        co_await guest.send("/quit\n");
        co_await guest.read_to_end();
        break;
    case reset:
        guest.stream().set_linger(0s);
        break;
    case half_closed:
        co_await guest.send("good");
        guest.stream().shutdown(shutdown_direction::write);
        co_await guest.read_to_end();
        break;
    case cut_short:
        co_await guest.send("not even the end of a li");
        break;
    default: // the server ends it
        co_await guest.read_to_end();
        break;
    }
    guest.stream().close();
    ++counted.ended[how];
}

task<> visit(round& present, ending how) {
    client guest;
    co_await guest.join(present.server);
    present.seen.push_back(newest(present.server));
    look_for_ended(present);
    co_await leave(guest, how);
}

task<> visit_often(round& present) {
    while (present.to_come > 0) {
        --present.to_come;
        co_await visit(present, static_cast<ending>(present.random() % 4));
    }
}

/// Somebody says so much that a client which does not read is dropped.
task<> be_too_slow(round& present) {
    client slow;
    co_await slow.join(present.server);
    slow.stream().set_receive_buffer_size(4096);
    const object_id dropped = newest(present.server);
    client speaker;
    co_await speaker.join(present.server);
    const std::string line = std::string(4000, 'x') + "\n";
    while (present.server.sessions().find(dropped)) {
        co_await speaker.send(line);
        co_await sleep_for(0ns); // or megabytes would be on their way before the server looks
    }
    ++counted.ended[too_slow];
    co_await leave(speaker, quit);
}

task<> until_all_have_gone(const chat::server& server) {
    while (!server.sessions().empty())
        co_await sleep_for(0ns); // they end some iterations after their clients
}

/// Those who come and go, in two halves; the second one finds the slots of the first one.
task<> come_and_go(round& present) {
    constexpr int client_count = connections_per_round - idle_clients - staying_clients - 2;
    for (int half = 0; half < 2; ++half) {
        present.to_come = client_count / 2;
        auto crowd = [&present](task_group& jobs) -> task<> {
            for (int i = 0; i < idle_clients / 2; ++i)
                jobs.start(visit(present, idle));
            for (int i = 0; i < workers; ++i)
                jobs.start(visit_often(present));
            co_return;
        };
        co_await with_task_group(crowd);
        co_await until_all_have_gone(present.server);
        present.ended.insert(present.ended.end(), present.seen.begin(), present.seen.end());
        present.seen.clear();
        for (const object_id& each : present.ended)
            counted.found_again += present.server.sessions().find(each) ? 1 : 0;
    }
}

task<> stay(round& present, event& all_are_here, int& here) {
    client staying;
    co_await staying.join(present.server);
    if (++here == staying_clients)
        all_are_here.set();
    co_await leave(staying, stopped);
}

/// Clients who are there when the server is told to end.
task<> outstay(round& present) {
    event all_are_here;
    int here = 0;
    auto crowd = [&](task_group& jobs) -> task<> {
        for (int i = 0; i < staying_clients; ++i)
            jobs.start(stay(present, all_are_here, here));
        co_await all_are_here.wait();
        present.server.stop();
        co_await jobs.wait_for_others();
    };
    co_await with_task_group(crowd);
}

/// Each round has an address of its own, or the ports of one would run out.
address address_of(int number) {
    return address::parse(
        "127.0." + std::to_string(1 + number / 250) + "." + std::to_string(1 + number % 250), 0);
}

task<> serve_round(int number, unsigned seed) {
    chat::limits allowed;
    allowed.idle_timeout = 50ms;
    allowed.outbox_bytes = 16384;
    chat::server server(tcp_listener::bind(address_of(number)), allowed);
    round present(server, seed);
    auto whole = [&](task_group& jobs) -> task<> {
        jobs.start(server.run());
        co_await come_and_go(present);
        co_await be_too_slow(present);
        co_await outstay(present);
        co_await jobs.wait_for_others();
    };
    co_await with_task_group(whole);
    counted.sessions_left += static_cast<long long>(server.sessions().size());
    counted.members_left += static_cast<long long>(server.here().size());
}

task<> serve_rounds(int first, int rounds, unsigned seed) {
    for (int i = first; i < first + rounds; ++i) {
        co_await with_timeout(guard, serve_round(i, seed + static_cast<unsigned>(i)));
        test::tell("rounds_served", i + 1); // so that nobody takes it for hanging
    }
}

void tell_counts() {
    for (std::size_t each = 0; each < ending::count; ++each)
        test::tell(names[each], counted.ended[each]);
    test::tell("found_again", counted.found_again);
    test::tell("slots_taken_again", counted.slots_taken_again);
    test::tell("sessions_left", counted.sessions_left);
    test::tell("members_left", counted.members_left);
}

/// A socket that is gone is closed once the kernel has forgotten it, some iterations later.
task<> until_all_are_closed() {
    while (context::current().open_sockets() > 0)
        co_await sleep_for(0ns);
}

task<> measure(int rounds, unsigned seed) {
    co_await serve_rounds(0, warm_up_rounds, seed);
    co_await with_timeout(guard, until_all_are_closed());
    counted = counts();
    const usage_report usage_before = usage();
    const test::figures before = test::take_figures();
    co_await serve_rounds(warm_up_rounds, rounds, seed);
    co_await with_timeout(guard, until_all_are_closed());
    const test::figures after = test::take_figures();
    const usage_report usage_after = usage();

    tell_counts();
    test::tell_difference("objects_left", usage_after.objects, usage_before.objects);
    test::tell_difference("frames_left", usage_after.live_frames, usage_before.live_frames);
    test::tell_difference("slab_growth", usage_after.slab_bytes, usage_before.slab_bytes);
    test::tell_left(after, before);
}

} // namespace

int main(int, char** arguments) {
    const int rounds = std::atoi(arguments[1]);
    const auto seed = static_cast<unsigned>(std::atoll(arguments[2]));
    test::tell("seed", seed);
    context here;
    here.run(measure(rounds, seed));
    test::tell("operations_in_flight", static_cast<long long>(here.operations_in_flight()));
    test::tell("open_sockets", static_cast<long long>(here.open_sockets()));
}
