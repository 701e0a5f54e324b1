// SPDX-License-Identifier: MIT
//
// The chat server with two clients, while memory or the system fails it at each point. A client may
// lose its session by that; the server goes on, or ends with that very error if it was the server
// that met it. Whoever comes afterwards is served as ever, and nothing is left.

#include "fault_sweep.hpp"

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <server.hpp>
#include <string>
#include <string_view>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

/// Joins, takes a name, talks and quits. False if the server ends the connection before that.
task<bool> visit(address server, std::string_view words) {
    tcp_stream peer = co_await tcp_stream::connect(server);
    peer.set_no_delay(true);
    co_await peer.write(words);
    line_reader lines(peer);
    for (;;) {
        const auto line = co_await lines.next();
        if (!line || *line == "* goodbye")
            co_return line.has_value();
    }
}

/// The same, and false whatever else goes wrong.
task<bool> try_to_visit(address server, std::string_view words) {
    bool well = false;
    try {
        well = co_await visit(server, words);
    } catch (const std::exception&) { // which is the client's own loss
    }
    co_return well;
}

struct evening {
    bool struck = false;
    bool later_visit = false;
    bool everybody_left = false;
    std::optional<fault_outcome> server; // once that has ended
};

/// Keeps how the server ends, and so keeps the others from ending with it.
task<> serve(std::optional<chat::server>& server, evening& seen) {
    fault_outcome ended;
    try {
        co_await server->run();
    } catch (...) {
        ended.failure = std::current_exception();
    }
    seen.everybody_left = server->here().size() == 0;
    server.reset(); // or it would still take connections
    seen.server = ended;
}

task<> spend_evening(evening& seen, std::string_view call, int nth, int error,
                     fault::lasting how_long) {
    std::optional<chat::server> server;
    server.emplace(tcp_listener::bind(address::loopback_v4(0)), chat::limits());
    const address here = server->local_address();
    auto body = [&](task_group& group) -> task<> {
        group.start(serve(server, seen));
        {
            const fault planned(call, nth, error, how_long);
            try {
                co_await when_all(try_to_visit(here, "/nick alice\nhello\n/me waves\n/quit\n"),
                                  try_to_visit(here, "/nick bob\n/msg alice you\n/who\n/quit\n"));
            } catch (const std::bad_alloc&) { // not even a visit could begin
            }
            seen.struck = planned.struck();
        }
        if (server)
            seen.later_visit = co_await try_to_visit(here, "/nick carol\nanybody?\n/quit\n");
        if (server)
            server->stop();
    };
    co_await with_task_group(body);
}

evening run_evening(std::string_view call, int nth, int error, fault::lasting how_long) {
    evening seen;
    run_clean([&]() -> task<> {
        const counted_warnings unheard;
        co_await spend_evening(seen, call, nth, error, how_long);
        co_await check_usable();
    });
    return seen;
}

/// Returns how many calls there were.
int spoil_each(std::string_view call, int error, fault::lasting how_long = fault::lasting::once) {
    for (int nth = 1;; ++nth) {
        CAPTURE(std::string(call));
        CAPTURE(nth);
        CAPTURE(error);
        const evening seen = run_evening(call, nth, error, how_long);
        REQUIRE(seen.server.has_value());
        INFO("the server ended: ", seen.server->words());
        const bool by_fault = error == ENOMEM && call == "allocate"
                                  ? seen.server->ran_out_of_memory()
                                  : seen.server->failed_with(error);
        CHECK(seen.everybody_left);
        CHECK(seen.later_visit == seen.server->completed());
        CHECK((seen.server->completed() || (seen.struck && by_fault)));
        if (!seen.struck)
            return nth - 1;
    }
}

} // namespace

TEST_CASE("chat faults: each system call of server and clients fails") {
    struct failing_call {
        const char* call;
        std::vector<int> errors;
    };

    const std::vector<failing_call> failing_calls = {
        {"accept", {EMFILE, ENOMEM, ECONNABORTED, EPERM}},
        {"recv", {ECONNRESET, ENOMEM, EINTR}},
        {"recv_now", {ECONNRESET, ETIMEDOUT}},
        {"send", {EPIPE, ENOBUFS, EINTR, fault::cut_short}},
        {"setsockopt", {ENOBUFS}},
        {"close", {EINTR}},
        {"epoll_ctl", {ENOMEM, ENOSPC}},
        {"poll", {ENOMEM}},
    };
    int struck = 0;
    for (const failing_call& failing : failing_calls) {
        for (const int error : failing.errors)
            struck += spoil_each(failing.call, error);
    }
    CHECK(struck > 50);
}

TEST_CASE("chat faults: each allocation of server and clients fails") {
    CHECK(spoil_each("allocate", ENOMEM) > 50);
}

TEST_CASE("chat faults: memory has run out from each allocation on, until both clients are gone") {
    CHECK(spoil_each("allocate", ENOMEM, fault::lasting::always) > 50);
}
