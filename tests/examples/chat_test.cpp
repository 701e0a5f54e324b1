// SPDX-License-Identifier: MIT
//
// The chat server as a program: its output, signals and exit codes. The server itself is tested in
// tests/chat.
#include "instrumented.hpp"
#include "program.hpp"

#include <algorithm>
#include <chrono>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <doctest/doctest.h>

using coracle::test::blocking_connection;
using coracle::test::describe;
using coracle::test::ending_signals;
using coracle::test::program;

namespace {

std::uint16_t port_of(program& chat) {
    const std::uint16_t port = chat.port();
    CHECK(chat.output.line().starts_with("chat: the backend is "));
    CHECK(chat.output.line() == "chat: connect with: nc 127.0.0.1 " + std::to_string(port));
    return port;
}

void join(blocking_connection& client, const std::string& name) {
    CHECK(client.line().starts_with("* welcome, guest"));
    client.send("/nick " + name + "\n");
    CHECK(client.line().ends_with(" is now " + name));
}

/// Reads lines until `wanted`.
void skip_to(blocking_connection& client, std::string_view wanted) {
    std::string line;
    do {
        line = client.line();
    } while (line != wanted);
}

/// Sends a megabyte, which is more than socket buffers hold, while `listener` reads each line. A
/// third client, which does not read, then has a full outbox, however fast the machine is.
void overwhelm_the_silent(blocking_connection& speaker, blocking_connection& listener) {
    const std::string text(4000, 'x');
    for (int said = 0; said < 250; ++said) {
        speaker.send(text + "\n");
        skip_to(listener, "<speaker> " + text);
    }
}

} // namespace

TEST_CASE("chat program: it says where it is, which backend it took, and why") {
    for (const std::string_view name : coracle::backend_names()) {
        if (!coracle::probe_backend(name).works)
            continue;
        program chat(CORACLE_CHAT, {"--port", "0", "--backend", std::string(name)}, "");
        CHECK(chat.output.line().starts_with("chat: listening on 127.0.0.1:"));
        CHECK(chat.output.line() ==
              "chat: the backend is " + std::string(name) + ": it was asked for");
        CHECK(chat.output.line().starts_with("chat: connect with: nc 127.0.0.1 "));
    }
    program on_v6(CORACLE_CHAT, {"--host=::1", "--port=0"});
    const std::string line = on_v6.output.line();
    if (line.starts_with("chat: listening on [::1]:")) {
        static_cast<void>(on_v6.output.line());
        CHECK(on_v6.output.line() ==
              "chat: connect with: nc ::1 " + line.substr(line.rfind(':') + 1));
    }
}

TEST_CASE("chat program: people talk") {
    program chat(CORACLE_CHAT, {"--port", "0"});
    const std::uint16_t port = port_of(chat);
    blocking_connection alice(port);
    join(alice, "alice");
    blocking_connection bob(port);
    join(bob, "bob");
    skip_to(alice, "* guest2 is now bob");
    bob.send("hello\r\n");
    CHECK(alice.line() == "<bob> hello");
    alice.send("/who\n");
    CHECK(alice.line() == "* here: alice, bob");
    bob.reset();
    CHECK(alice.line() == "* bob left");
    alice.send("last words");
    alice.end_sending();
    CHECK(alice.rest().empty());
}

TEST_CASE("chat program: the limits of the command line hold") {
    program chat(CORACLE_CHAT, {"--port", "0", "--max-sessions", "1", "--idle-timeout", "1"});
    const std::uint16_t port = port_of(chat);
    blocking_connection one(port);
    CHECK(one.line().starts_with("* welcome"));
    blocking_connection two(port);
    CHECK(two.rest() == "! the server is full, with 1 sessions; try again later\n");
    CHECK(one.rest() == "! you were silent for too long\n");
}

TEST_CASE("chat program: it tells what is in use, if asked to") {
    program chat(CORACLE_CHAT, {"--port", "0", "--watch", "1"});
    const std::uint16_t port = port_of(chat);
    CHECK(chat.output.line().starts_with("{\"resident_bytes\":"));
    blocking_connection alice(port);
    CHECK(alice.line().starts_with("* welcome"));
    std::string report; // those from before she came may still be on their way
    for (int left = 60; left > 0 && report.find("\"objects\":1,") == std::string::npos; --left)
        report = chat.output.line();
    CHECK(report.find("\"objects\":1,") != std::string::npos);
    chat.send_signal(SIGINT);
    CHECK(chat.exit_code() == 0);
}

TEST_CASE("chat program: it goes on when nobody reads what it tells any more") {
    program chat(CORACLE_CHAT, {"--port", "0", "--watch", "1", "--idle-timeout", "3"});
    const std::uint16_t port = port_of(chat);
    CHECK(chat.output.line().starts_with("{\"resident_bytes\":"));
    chat.output.close();
    blocking_connection alice(port); // whom it tells something later than the next report
    CHECK(alice.line().starts_with("* welcome"));
    CHECK(alice.line() == "! you were silent for too long");
    CHECK(alice.rest().empty());
    chat.send_signal(SIGINT);
    CHECK(chat.exit_code() == 0);
    CHECK(chat.complaint.empty());
}

#ifdef SIGUSR1 // what Windows does not have
TEST_CASE("chat program: SIGUSR1 shows what everyone waits for, and it goes on") {
    program chat(CORACLE_CHAT, {"--port", "0"});
    const std::uint16_t port = port_of(chat);
    blocking_connection alice(port);
    join(alice, "alice");
    for (int i = 0; i < 2; ++i) {
        chat.send_signal(SIGUSR1);
        const std::string tree = chat.errors.take_until("\nresident ");
        CHECK(tree.find(" sockets\n") != std::string::npos);
        CHECK(tree.find("  session: waiting for task_group since ") != std::string::npos);
        CHECK(tree.find("for read (descriptor ") != std::string::npos);
        CHECK(tree.find(", peer 127.0.0.1:") != std::string::npos);
        CHECK(tree.find("session.cpp:") != std::string::npos);
        static_cast<void>(chat.errors.take_until("objects                 1 in pools\n"));
    }
    alice.send("/who\n");
    CHECK(alice.line() == "* here: alice");
    chat.send_signal(SIGTERM);
    CHECK(chat.exit_code() == 0);
    CHECK(chat.complaint.empty());
}
#endif

TEST_CASE("chat program: a signal ends it in order") {
    for (const int number : ending_signals()) {
        program chat(CORACLE_CHAT, {"--port", "0"});
        const std::uint16_t port = port_of(chat);
        blocking_connection alice(port);
        join(alice, "alice");
        chat.send_signal(number);
        CHECK(alice.rest() == "* server is going down\n");
        CHECK(chat.exit_code() == 0);
        CHECK(chat.complaint.empty());
        CHECK(chat.written.empty());
    }
}

TEST_CASE("chat program: a signal with nobody there") {
    const char* const backend = std::getenv("CORACLE_BACKEND");
    if (coracle::test::delays_signals && backend && std::string_view(backend) == "io_uring") {
        MESSAGE("skipped, because the thread sanitizer may keep the signal while a ring waits");
        return;
    }
    program chat(CORACLE_CHAT, {"--port", "0"});
    static_cast<void>(port_of(chat));
    chat.send_signal(SIGINT);
    CHECK(chat.exit_code() == 0);
}

TEST_CASE("chat program: a client that does not read delays the end, but does not prevent it") {
    program chat(CORACLE_CHAT, {"--port", "0", "--outbox", "2000000"});
    const std::uint16_t port = port_of(chat);
    blocking_connection slow(port, 4096);
    CHECK(slow.line().starts_with("* welcome"));
    blocking_connection speaker(port);
    join(speaker, "speaker");
    blocking_connection listener(port);
    join(listener, "listener");
    overwhelm_the_silent(speaker, listener);
    const auto before = std::chrono::steady_clock::now();
    chat.send_signal(SIGINT);
    CHECK(listener.rest() == "* server is going down\n");
    CHECK(chat.exit_code() == 0);
    CHECK(std::chrono::steady_clock::now() - before >= std::chrono::seconds(2));
}

#ifdef SIGSTOP // nor that
TEST_CASE("chat program: a second signal ends it at once") {
    program chat(CORACLE_CHAT, {"--port", "0", "--outbox", "2000000"});
    const std::uint16_t port = port_of(chat);
    blocking_connection slow(port, 4096);
    CHECK(slow.line().starts_with("* welcome"));
    blocking_connection speaker(port);
    join(speaker, "speaker");
    blocking_connection listener(port);
    join(listener, "listener");
    overwhelm_the_silent(speaker, listener);
    // Both are there when it goes on, so that the two seconds cannot pass between them.
    chat.freeze();
    chat.send_signal(SIGINT);
    chat.send_signal(SIGTERM);
    chat.send_signal(SIGCONT);
    const int code = chat.exit_code();
    CHECK((code == 128 + SIGINT || code == 128 + SIGTERM)); // whichever was handled second
}
#endif

TEST_CASE("chat program: help and bad arguments") {
    program help(CORACLE_CHAT, {"--help"});
    CHECK(help.exit_code() == 0);
    CHECK(help.written.starts_with("usage: chat"));
    CHECK(help.complaint.empty());

    const std::vector<std::vector<std::string>> bad = {
        {"--nonsense"}, {"7777"}, {"--port"}, {"--port", "many"}, {"--backend", "nonsense"}};
    for (const std::vector<std::string>& arguments : bad) {
        program refused(CORACLE_CHAT, arguments);
        CHECK(refused.exit_code() == 2);
        CHECK(refused.written.empty());
        CHECK(refused.complaint.starts_with("chat: "));
        CHECK(refused.complaint.find(arguments.front()) != std::string::npos);
        CHECK(std::count(refused.complaint.begin(), refused.complaint.end(), '\n') == 1);
    }
}

TEST_CASE("chat program: what keeps it from serving is told in one line") {
    program first(CORACLE_CHAT, {"--port", "0"});
    const std::string port = std::to_string(port_of(first));
    program second(CORACLE_CHAT, {"--port", port});
    CHECK(second.exit_code() == 1);
    CHECK(second.complaint == "chat: cannot bind to 127.0.0.1:" + port + ": " +
                                  describe(std::errc::address_in_use) + "\n");

    program elsewhere(CORACLE_CHAT, {"--port", "0", "--host", "192.0.2.1"});
    CHECK(elsewhere.exit_code() == 1);
    CHECK(elsewhere.complaint ==
          "chat: cannot bind to 192.0.2.1:0: " + describe(std::errc::address_not_available) + "\n");

    program forced(CORACLE_CHAT, {"--port", "0"}, "nonsense");
    CHECK(forced.exit_code() == 1);
    CHECK(forced.complaint.starts_with("chat: there is no backend called 'nonsense'; there are: "));
}
