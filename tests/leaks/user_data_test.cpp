// SPDX-License-Identifier: MIT
//
// Scenario 2, `user_data` that is never freed: the callback forgets it, or never runs because the
// operation was cancelled or timed out, or leaves early because the peer has reset the connection.
//
// Here the frame is the request. It has one owner, whoever awaits it, and it goes when that goes
// on, whatever the reason.

#include "leak_program.hpp"

#include <random>
#include <string>

using namespace coracle::test;

TEST_CASE("user_data: in callback style, every end of a request leaks its context") {
    constexpr int requests = 1000;
    for (const char* const end : {"forgotten", "cancelled", "timed_out", "reset"}) {
        CAPTURE(std::string(end));
        const verdict seen =
            run_leak_program("user_data_callback", {end, std::to_string(requests)});
        seen.check_leak_found();
        CHECK(seen["blocks_left"] == 2 * requests); // the context and its buffer
        CHECK(seen["bytes_left"] >= 4096 * requests);
        CHECK(seen["descriptors_left"] == 0);
    }
}

TEST_CASE("user_data: with coroutines, a third of all disturbed, nothing is left of a request") {
    const long long exchanges = is_slow_here() ? 20'000 : 500'000; // a send and a receive each
    const std::string seed = std::to_string(std::random_device()());
    const verdict seen = run_leak_program("user_data_coroutine", {std::to_string(exchanges), seed});
    INFO(seen.output());
    seen.check_clean();

    const long long disturbed = seen["cancelled"] + seen["timed_out"] + seen["reset"];
    CHECK(seen["answered"] + disturbed == exchanges);
    CHECK(seen["otherwise"] == 0);
    for (const char* const end : {"cancelled", "timed_out", "reset"})
        CHECK(seen[end] > exchanges / 10); // a ninth each, of which few can end otherwise

    CHECK(seen["frames_left"] == 0);
    CHECK(seen["frame_bytes_left"] == 0);
    CHECK(seen["blocks_left"] == 0);
    CHECK(seen["bytes_left"] == 0);
    CHECK(seen["descriptors_left"] == 0);
    CHECK(seen["operations_in_flight"] == 0);
    CHECK(seen["open_sockets"] == 0);
    CHECK(seen["frames_at_the_end"] == 0);
}
