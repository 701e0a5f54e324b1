// SPDX-License-Identifier: MIT
//
// Calls that fail while many connections come and go through the smallest ring, which has
// fewer SQEs than there are requests: multishots that end before they have brought anything, calls
// of io_uring_enter that take nothing, and so cancels and closings that are submitted again.

#include "child_process.hpp"
#include "fault_sweep.hpp"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

constexpr std::size_t clients = 12; // more than the ring has SQEs for
constexpr std::size_t message_bytes = 200;

context_options smallest_ring() {
    context_options options;
    options.ring_entries = 8;
    return options;
}

task<> send_message(address server) {
    tcp_stream peer = co_await with_timeout(longest_test, tcp_stream::connect(server));
    const std::string message(message_bytes, 'x');
    co_await peer.write(message);
}

/// Until the end of the stream.
task<> count_bytes(tcp_stream peer, buffer_pool& pool, std::size_t& count) {
    multishot_receive incoming = peer.receive_many(pool);
    for (;;) {
        const buffer_lease bytes = co_await with_timeout(longest_test, incoming.next());
        if (!bytes)
            co_return;
        count += bytes.size();
    }
}

/// Twelve connections; the kernel has a buffer at hand for all of their bytes.
task<> receive_from_all() {
    buffer_pool pool(256, 64);
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    multishot_accept incoming = listener.accept_many();
    std::size_t count = 0;
    auto body = [&](task_group& group) -> task<> {
        for (std::size_t i = 0; i < clients; ++i)
            group.start(send_message(listener.local_address()));
        for (std::size_t i = 0; i < clients; ++i) {
            tcp_stream peer = co_await with_timeout(longest_test, incoming.next());
            group.start(count_bytes(std::move(peer), pool, count));
        }
    };
    co_await with_task_group(body);
    require_that(count == clients * message_bytes);
}

/// Everybody waits, one half for the kernel and one half for a multishot, and all are cancelled at
/// once; or all are closed at once.
task<> end_all(bool by_closing) {
    buffer_pool pool(4, 64);
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    std::vector<connection> connections;
    for (std::size_t i = 0; i < clients; ++i)
        connections.push_back(co_await connect_to(listener));
    // A stream that has been read from twice is registered with the kernel, which has to unregister
    // it.
    for (std::size_t i = 0; by_closing && i < 2 * clients; ++i) {
        connection& ends = connections[i / 2];
        co_await ends.there.write("x"sv);
        co_await read_text(ends.here, 1);
    }
    std::size_t cancelled = 0;
    auto reading = [&](connection& ends) -> task<> {
        char byte = 0;
        const auto count = co_await as_result(ends.here.read(mutable_buffer(&byte, 1)));
        cancelled += count.error() == std::errc::operation_canceled;
    };
    auto receiving = [&](connection& ends) -> task<> {
        multishot_receive incoming = ends.there.receive_many(pool);
        const auto bytes = co_await as_result(incoming.next());
        cancelled += bytes.error() == std::errc::operation_canceled;
    };
    auto body = [&](task_group& group) -> task<> {
        for (connection& each : connections) {
            group.start(reading, std::ref(each));
            group.start(receiving, std::ref(each));
        }
        co_await iterations();
        if (!by_closing) {
            group.cancel();
            co_return;
        }
        for (connection& each : connections)
            each.there.close();
        for (connection& each : connections)
            each.here.close();
    };
    co_await with_task_group(body);
    require_that(cancelled >= clients); // one whose peer was closed before may see the end instead
}

/// One more than the smallest ring has room for reads of them.
task<std::vector<connection>> idle_connections() {
    std::vector<connection> idle;
    for (unsigned i = 0; i <= smallest_ring().ring_entries; ++i)
        idle.push_back(co_await connect_ends());
    co_return idle;
}

task<> read_one(tcp_stream& from) {
    char byte = 0;
    static_cast<void>(co_await as_result(from.read(mutable_buffer(&byte, 1))));
}

/// Whether the scenario comes to its end although no timer runs, which would wake a loop that
/// sleeps for too long.
template <class Scenario>
bool ends_without_timers(Scenario scenario) {
    const child_outcome outcome = in_child_process([&] {
        context here(smallest_ring());
        here.run(scenario());
    });
    return outcome.succeeded;
}

struct hidden_fault {
    const char* call;
    std::vector<int> errors;
};

const std::vector<hidden_fault> of_entering = {{"io_uring_enter", {EINTR, EAGAIN, EBUSY, ETIME}}};

/// What a multishot says when it ends early, and what else nobody sees who accepts and receives.
std::vector<hidden_fault> of_multishots() {
    const char* const name = std::getenv("CORACLE_BACKEND");
    if (name && std::string_view(name) == "io_uring")
        return {{"accept", {EINTR, EAGAIN, ECANCELED, ECONNABORTED}},
                {"recv_many", {EINTR, EAGAIN, ECANCELED, ENOBUFS}}};
    return {{"accept", {EINTR, EAGAIN, ECONNABORTED}}, {"recv", {EINTR, EAGAIN}}};
}

bool can_fail_as_planned() {
    if (!can_answer_requests())
        MESSAGE("skipped, because this kernel's io_uring cannot be told what to answer");
    return can_answer_requests();
}

/// Returns how many faults there were.
template <class Scenario>
int hide_all(const std::vector<hidden_fault>& faults, Scenario scenario) {
    run_clean(scenario, smallest_ring()); // without one, for what is found out once
    int struck = 0;
    for (const hidden_fault& each : faults) {
        for (const int error : each.errors) {
            auto check = [](const fault_outcome& outcome) { CHECK(outcome.completed()); };
            struck +=
                fail_each(each.call, error, scenario, check, fault::lasting::once, smallest_ring());
        }
    }
    return struck;
}

} // namespace

TEST_CASE("multishot: nobody sees it end early, and it is armed again") {
    if (can_fail_as_planned())
        CHECK(hide_all(of_multishots(), receive_from_all) > 20);
}

TEST_CASE("multishot: an entry that takes nothing loses nothing") {
    static_cast<void>(hide_all(of_entering, receive_from_all));
}

TEST_CASE("multishot: cancels and closings that find the queue full are submitted again") {
    static_cast<void>(hide_all(of_entering, [] { return end_all(false); }));
    static_cast<void>(hide_all(of_entering, [] { return end_all(true); }));
}

TEST_CASE("multishot: a cancel that has missed what it was to end is asked for again") {
    if (!can_fail_as_planned())
        return;
    const bool on_ring = context(smallest_ring()).backend_name() == "io_uring";
    for (const bool by_closing : {false, true}) {
        const int struck = hide_all({{"cancel", {ENOENT, EALREADY}}, {"cancel_many", {ENOENT}}},
                                    [&] { return end_all(by_closing); });
        CHECK((struck > 0) == on_ring);
    }
    // A listener has no peer whose end would end the multishot after all.
    auto accepting = []() -> task<> {
        co_await receive_from_all();
        co_await iterations(); // in which its multishot is to end
    };
    CHECK((hide_all({{"cancel_many", {ENOENT, EALREADY}}}, accepting) > 0) == on_ring);
}

TEST_CASE("multishot: who found the queue full is woken by what has come meanwhile") {
    CHECK(ends_without_timers([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        multishot_accept incoming = listener.accept_many();
        auto first =
            co_await when_all(tcp_stream::connect(listener.local_address()), incoming.next());
        std::vector<connection> idle = co_await idle_connections();
        tcp_stream late;
        auto body = [&](task_group& group) -> task<> {
            auto taking = [&]() -> task<> {
                const tcp_stream peer = co_await incoming.next();
                group.cancel();
            };
            co_await iterations();
            const fault twice("io_uring_enter", 1, EAGAIN, fault::lasting::twice);
            for (connection& each : idle) // the last one waits for room,
                group.start(read_one, std::ref(each.here));
            group.start(taking); // and this one behind it
            late = tcp_stream::adopt(connect_raw(listener.local_address()));
            co_await iterations(1); // no room yet, but the connection is collected
        };
        co_await with_task_group(body);
    }));
}

TEST_CASE("multishot: a closing that finds the queue full is not slept over") {
    CHECK(ends_without_timers([]() -> task<> {
        connection ends = co_await connect_ends();
        for (int i = 0; i < 2; ++i) { // from then on the kernel polls it
            co_await ends.there.write("x"sv);
            co_await read_text(ends.here, 1);
        }
        std::vector<connection> idle = co_await idle_connections();
        auto body = [&](task_group& group) -> task<> {
            auto waiting = [&]() -> task<> {
                co_await read_one(ends.there);
                group.cancel();
            };
            group.start(waiting);
            co_await iterations();
            const fault twice("io_uring_enter", 1, EAGAIN, fault::lasting::twice);
            for (std::size_t i = 0; i + 1 < idle.size(); ++i)
                group.start(read_one, std::ref(idle[i].here));
            ends.here.close();
            co_await group.wait_for_others();
        };
        co_await with_task_group(body);
    }));
}

TEST_CASE("multishot: a probe that could not be made is said, and made again by the next context") {
    buffer_pool pool(16, 64);
    std::size_t lent = 0;
    auto scenario = [&]() -> task<> {
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        co_await ends.there.write("x"sv);
        const buffer_lease bytes = co_await incoming.next();
        require_that(bytes.size() == 1);
        lent = pool.leased() - 1;
    };
    run_clean(scenario);
    const std::size_t usual = lent;
    {
        const counted_warnings warnings;
        std::optional<context> without;
        bool struck = false;
        {
            const fault planned("socketpair", 1, EMFILE);
            without.emplace();
            struck = planned.struck();
        }
        without->run(scenario());
        CHECK(lent == 0);
        CHECK(counted_warnings::number == (struck ? 1 : 0));
    }
    run_clean(scenario);
    CHECK(lent == usual);
}
