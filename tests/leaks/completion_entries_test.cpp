// SPDX-License-Identifier: MIT
//
// Scenario 1, completion entries that are allocated for each poll.
//
// Here nothing is: a backend collects into an array of its own or right from the kernel's queue,
// and a completion belongs to an operation that is in a frame already.

#include "leak_program.hpp"

#include <algorithm>
#include <coracle/io/context.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace coracle::test;

namespace {

/// A million takes ten seconds and more, so it is for optimised builds, and for the best backend
/// that works here.
long long affordable_polls() {
#ifdef NDEBUG
    constexpr long long most = 1'000'000;
#else
    constexpr long long most = 200'000;
#endif
    const auto names = coracle::backend_names();
    const auto best = std::find_if(names.begin(), names.end(), [](std::string_view each) {
        return coracle::probe_backend(each).works;
    });
    const char* const backend = std::getenv("CORACLE_BACKEND");
    if (is_slow_here())
        return 20'000;
    return !backend || best == names.end() || *best == backend ? most : 200'000;
}

} // namespace

TEST_CASE("completion_entries: in callback style, every poll leaks its entries") {
    constexpr int polls = 2000;
    const verdict seen = run_leak_program("completion_entries_callback", {std::to_string(polls)});
    seen.check_leak_found();
    CHECK(seen["completions"] == polls);
    CHECK(seen["blocks_left"] == polls);
    CHECK(seen["bytes_left"] >= 128 * 48 * polls);
    CHECK(seen["resident_growth"] > 64 * 48 * polls);
}

TEST_CASE("completion_entries: with coroutines, polls and completions allocate nothing") {
    const long long polls = affordable_polls();
    const verdict seen = run_leak_program("completion_entries_coroutine",
                                          {std::to_string(polls), std::to_string(10 * polls)});
    INFO(seen.output());
    seen.check_clean();
    CHECK(seen["polls"] >= polls);
    CHECK(seen["completions"] >= 10 * polls);
    CHECK(seen["allocations"] == 0);
    CHECK(seen["blocks_left"] == 0);
    CHECK(seen["slab_growth"] == 0);
    if (instrumented) // the sanitizer takes memory for its own notes
        return;
    CHECK(seen["mapped_growth"] == 0);
    CHECK(seen["resident_growth"] <= 64 * 1024); // what was mapped, and is used a first time
}
