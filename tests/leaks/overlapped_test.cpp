// SPDX-License-Identifier: MIT
//
// Scenario 5, the request's own memory (OVERLAPPED) freed too early or never.
//
// Here it is in the awaiting frame, which goes on only when the kernel has done with the operation,
// cancelled or not. So nothing can go too early but by a mistake in the program that destroys a
// frame by hand, and that stops it with a message: see io/destroyed_frame_test.cpp.

#include "leak_program.hpp"

#include <string>

using namespace coracle::test;

TEST_CASE("overlapped: in callback style, freed too early it is written to by the kernel") {
    constexpr int requests = 100;
    for (const char* const mistake : {"freed", "on_the_stack"}) {
        CAPTURE(std::string(mistake));
        const verdict seen =
            run_leak_program("overlapped_callback", {mistake, std::to_string(requests)});
        if (seen.skipped())
            return;
        seen.check_clean(); // no tool has noticed
        // How much of the stack the next function shares is the compiler's affair.
        CHECK(seen["overwritten_bytes"] >= requests);
    }
}

TEST_CASE("overlapped: in callback style, never freed it leaks") {
    constexpr int requests = 100;
    const verdict seen =
        run_leak_program("overlapped_callback", {"never_freed", std::to_string(requests)});
    if (seen.skipped())
        return;
    seen.check_leak_found();
    CHECK(seen["blocks_left"] == requests);
}

TEST_CASE("overlapped: with coroutines, what was cancelled does not write to its next owner") {
    const long long reads = is_slow_here() ? 4000 : 20'000;
    const verdict seen = run_leak_program("overlapped_coroutine", {std::to_string(reads)});
    INFO(seen.output());
    seen.check_clean();
    CHECK(seen["reads_cancelled"] == reads);
    CHECK(seen["same_memory"] == reads);
    CHECK(seen["overwritten_bytes"] == 0);
    CHECK(seen["frames_left"] == 0);
}
