// SPDX-License-Identifier: MIT
//
// Scenario 4, sessions that stay in the pool after their socket has closed: the handler closes its
// end and forgets to take the session out, until the pool is full.
//
// Here a session is owned by a handle in the frame that serves it, and leaves the pool with that,
// whatever ended it. An id that somebody has kept finds nothing then, whoever is in its slot.

#include "leak_program.hpp"

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

using namespace coracle::test;

namespace {

constexpr int connections_per_round = 2000;

#ifdef NDEBUG
constexpr bool optimised = true;
#else
constexpr bool optimised = false;
#endif

/// All of them take some twenty seconds where the compiler has optimised, and far longer where it
/// has not, or where a tool watches or the kernel's interface is emulated.
int affordable_rounds() {
    const char* const backend = std::getenv("CORACLE_BACKEND");
    const bool emulated = backend && std::string_view(backend) == "kqueue";
    if (instrumented)
        return 3;
    if (emulated || !optimised)
        return 15;
    return 100;
}

} // namespace

TEST_CASE("sessions: in callback style they stay in the pool until it is full") {
    const verdict seen = run_leak_program("sessions_callback", {"1000", "1500"});
    if (seen.skipped())
        return;
    INFO(seen.output());
    CHECK(seen["accepted"] == 1000);
    CHECK(seen["closed"] == 1000);
    CHECK(seen["descriptors_left"] == 0); // so all seems well
    CHECK(seen["sessions_left"] == 1000);
    CHECK(seen["bytes_left"] >= 1000 * 4096);
    CHECK(seen["refused"] == 500);
}

TEST_CASE("sessions: of two hundred thousand that end in every way, nothing is left") {
    const int rounds = affordable_rounds();
    const int connections = rounds * connections_per_round;
    if (rounds < 100)
        MESSAGE(connections << " instead of 200,000, because this is no quick build");
    const std::string seed = std::to_string(std::random_device()());
    const verdict seen = run_leak_program("sessions_coroutine", {std::to_string(rounds), seed});
    INFO(seen.output());
    seen.check_clean();

    long long ended = 0;
    for (const char* const how :
         {"quit", "reset", "half_closed", "cut_short", "idle", "too_slow", "stopped"}) {
        CHECK(seen[how] > 0);
        ended += seen[how];
    }
    CHECK(ended == connections);

    CHECK(seen["found_again"] == 0);
    CHECK(seen["slots_taken_again"] > 0);
    for (const char* const left :
         {"sessions_left", "members_left", "objects_left", "frames_left", "blocks_left",
          "bytes_left", "descriptors_left", "operations_in_flight", "open_sockets"}) {
        CAPTURE(std::string(left));
        CHECK(seen[left] == 0);
    }
    CHECK(seen["slab_growth"] <= 1 << 20);
    if (!instrumented)
        CHECK(seen["resident_growth"] <= 1 << 20);
}
