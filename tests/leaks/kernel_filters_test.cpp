// SPDX-License-Identifier: MIT
//
// Scenario 7, filters that are left with the kernel: a descriptor is closed, but what was
// registered for it stays, because a copy of the descriptor is open somewhere.
//
// Here a backend takes out what it has registered before it closes, and closes only then. That no
// registration is left is also checked after every test that uses `run_clean`.

#include "leak_program.hpp"

#include <cstdlib>
#include <string>

using namespace coracle::test;

TEST_CASE("kernel_filters: in callback style, a closed connection stays registered") {
    constexpr int connections = 1000;
    const verdict seen = run_leak_program("kernel_filters_callback", {std::to_string(connections)});
    seen.check_clean(); // nothing on the heap: only the kernel knows
    CHECK(seen["registrations_left"] == connections);
    CHECK(seen["events_for_the_dead"] == connections);
}

TEST_CASE("kernel_filters: with coroutines, nothing stays registered although copies are open") {
    constexpr int connections = 999;
    const verdict seen =
        run_leak_program("kernel_filters_coroutine", {std::to_string(connections)});
    INFO(seen.output());
    seen.check_clean();
    CHECK(seen["bytes_read"] == 2 * connections);
    if (std::string(std::getenv("CORACLE_BACKEND")) != "kqueue") // which tells nobody what it has
        CHECK(seen["max_registrations"] >= connections);
    CHECK(seen["registrations_left"] == 0);
    CHECK(seen["descriptors_left"] == 0);
}
