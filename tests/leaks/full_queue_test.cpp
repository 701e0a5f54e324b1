// SPDX-License-Identifier: MIT
//
// Scenario 6, a full submission queue: a request without an SQE is lost, and with it what its
// callback would have deleted.
//
// Here an operation without an SQE waits in a backlog, through which it is linked itself, and a
// cancel in one of its own. A full completion queue loses nothing either, but ends multishots: they
// are armed again.

#include "leak_program.hpp"

#include <random>
#include <string>

using namespace coracle::test;

TEST_CASE("full_queue: in callback style, a request without an SQE is lost and leaks") {
    const verdict seen = run_leak_program("full_queue_callback", {"1000", "20"});
    if (seen.skipped())
        return;
    seen.check_leak_found();
    const long long kept = 8 * 1000 / 20; // of each twenty
    CHECK(seen["callbacks"] == kept);
    CHECK(seen["messages_received"] == kept);
    CHECK(seen["blocks_left"] == 1000 - kept);
}

TEST_CASE("full_queue: in callback style, nothing is lost as long as there is a free SQE") {
    const verdict seen = run_leak_program("full_queue_callback", {"1000", "8"});
    if (seen.skipped())
        return;
    seen.check_clean();
    CHECK(seen["callbacks"] == 1000);
    CHECK(seen["blocks_left"] == 0);
}

TEST_CASE("full_queue: with coroutines, every operation ends once, cancelled or not") {
    const long long messages = instrumented ? 4'000 : 50'000; // a write and a read each
    const std::string seed = std::to_string(std::random_device()());
    const verdict seen =
        run_leak_program("full_queue_coroutine", {"numbers", std::to_string(messages), seed});
    INFO(seen.output(), " seed ", seed);
    seen.check_clean();
    CHECK(seen["started"] >= 2 * messages);
    CHECK(seen["succeeded"] == 2 * messages);
    CHECK(seen["started"] == seen["succeeded"] + seen["cancelled"]);
    CHECK(seen["cancelled"] > messages / 100);
    CHECK(seen["wrong"] == 0);
    CHECK(seen["all_in_turn"] == seen["pairs"]);
    CHECK(seen["operations_in_flight"] == 0);
    CHECK(seen["open_sockets"] == 0);
}

TEST_CASE("full_queue: with coroutines, multishots go on after the completions overflowed") {
    const long long messages = instrumented ? 4'000 : 40'000;
    const verdict seen =
        run_leak_program("full_queue_coroutine", {"multishot", std::to_string(messages), "1"});
    INFO(seen.output());
    seen.check_clean();
    CHECK(seen["started"] == messages);
    CHECK(seen["succeeded"] == messages);
    CHECK(seen["wrong"] == 0);
    CHECK(seen["all_in_turn"] == seen["pairs"]);
    CHECK(seen["operations_in_flight"] == 0);
    CHECK(seen["open_sockets"] == 0);
}
