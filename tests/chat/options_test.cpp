// SPDX-License-Identifier: MIT
//
// The command line of the chat server.
#include <coracle/coracle.hpp>
#include <doctest/doctest.h>
#include <options.hpp>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

chat::options parse(const std::vector<const char*>& arguments) {
    return chat::parse_options(arguments);
}

/// What is said about these arguments.
std::string complaint(const std::vector<const char*>& arguments) {
    try {
        static_cast<void>(chat::parse_options(arguments));
    } catch (const chat::bad_argument& error) {
        return error.what();
    }
    return "nothing";
}

bool complains(const std::vector<const char*>& arguments, std::string_view about) {
    return complaint(arguments).find(about) != std::string::npos;
}

} // namespace

TEST_CASE("chat options: the defaults") {
    const chat::options read = parse({});
    CHECK(to_string(read.address) == "127.0.0.1:7777");
    CHECK(read.backend.empty());
    CHECK(read.allowed.max_sessions == 1000);
    CHECK(read.allowed.max_per_address == 100);
    CHECK(read.allowed.idle_timeout == 10min);
    CHECK(read.allowed.outbox_bytes == 65536);
    CHECK(read.watch_interval == std::chrono::seconds(0));
    CHECK(read.allowed.drain_time == 2s);
    CHECK_FALSE(read.help);
}

TEST_CASE("chat options: each one, with a blank and with an equals sign") {
    const std::string backend(coracle::backend_names().back());
    const chat::options read =
        parse({"--host", "::1", "--port=0", "--backend", backend.c_str(), "--max-sessions=5",
               "--max-per-address=3", "--idle-timeout", "0", "--outbox=20000", "--watch=3"});
    CHECK(to_string(read.address) == "[::1]:0");
    CHECK(read.backend == backend);
    CHECK(read.allowed.max_sessions == 5);
    CHECK(read.allowed.max_per_address == 3);
    CHECK(read.allowed.idle_timeout == 0s);
    CHECK(read.allowed.outbox_bytes == 20000);
    CHECK(read.watch_interval == std::chrono::seconds(3));
    CHECK(to_string(parse({"--port", "1", "--host", "::1"}).address) == "[::1]:1");
    CHECK(parse({"--help"}).help);
    CHECK(parse({"--port", "1", "-h"}).help);
}

TEST_CASE("chat options: what is wrong is named") {
    CHECK(complains({"--colour"}, "'--colour'"));
    CHECK(complains({"7777"}, "'7777'"));
    CHECK(complains({"--port"}, "--port needs a value"));
    CHECK(complains({"--port", "65536"}, "--port needs a number from 0 to 65535, not '65536'"));
    CHECK(complains({"--port="}, "--port needs"));
    CHECK(complains({"--port", "-1"}, "'-1'"));
    CHECK(complains({"--port", "80x"}, "'80x'"));
    CHECK(complains({"--port", "99999999999999999999"}, "--port"));
    CHECK(complains({"--host", "localhost"}, "'localhost'"));
    CHECK(complains({"--backend", "carrier pigeon"}, "not 'carrier pigeon'"));
    CHECK(complains({"--max-sessions", "0"}, "--max-sessions"));
    CHECK(complains({"--max-per-address", "few"}, "--max-per-address"));
    CHECK(complains({"--idle-timeout", "soon"}, "--idle-timeout"));
    CHECK(complains({"--outbox", "100"}, "--outbox"));
}
