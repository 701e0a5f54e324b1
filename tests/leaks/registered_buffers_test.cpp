// SPDX-License-Identifier: MIT
//
// Scenario 3, registered buffers that are never unregistered: the provider forgets an id, and the
// kernel keeps the memory behind it, up to what the user may lock.
//
// Here the registration is a member of the pool, and a buffer is a lease. A pool cannot go while
// one of its buffers is out: that is named, with where it was taken.

#include "child_process.hpp"
#include "leak_program.hpp"

#include <coracle/coracle.hpp>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

using namespace coracle;
using namespace coracle::test;

namespace {

constexpr const char* lockable_bytes = "131072"; // a ring and one pool, and no second pool

std::string_view backend_asked_for() {
    const char* const name = std::getenv("CORACLE_BACKEND");
    return name ? name : "";
}

} // namespace

// In functions that every compiler calls the same.
namespace harbour {

std::optional<buffer_pool> pool;
buffer_lease kept;
unsigned line_of_pool = 0;
unsigned line_of_lease = 0;

static void open() {
    line_of_pool = __LINE__ + 1;
    pool.emplace(4, 4096, registration::wanted, creation_site());
}

static void take() {
    line_of_lease = __LINE__ + 1;
    kept = pool->try_lease();
}

static task<> use() {
    open();
    take();
    co_return;
}

} // namespace harbour

TEST_CASE("registered buffers: in callback style they stay with the kernel until it refuses") {
    const verdict seen = run_leak_program("registered_buffers_callback", {lockable_bytes, "1000"});
    if (seen.skipped())
        return;
    INFO(seen.output());
    CHECK(seen["registered"] >= 1);
    CHECK(seen["registered"] <= 2);
    CHECK(seen["refused_for_memory"] == 1);
    CHECK(seen["pinned_bytes_left"] == seen["registered"] * 65536);
}

TEST_CASE("registered buffers: a pool that was registered leaves nothing with the kernel") {
    const bool registers = backend_asked_for() == "io_uring";
    const long long cycles = instrumented ? 5000 : registers ? 100'000 : 20'000;
    const long long contexts = instrumented ? 20 : 100;
    const verdict seen =
        run_leak_program("registered_buffers_coroutine",
                         {lockable_bytes, std::to_string(cycles), std::to_string(contexts)});
    if (seen.skipped())
        return;
    INFO(seen.output());
    seen.check_clean();
    CHECK(seen["cycles"] == cycles);
    CHECK(seen["registered"] == (registers ? cycles : 0));
    CHECK(seen["wrong_bytes"] == 0);
    CHECK(seen["pinned_bytes_left"] == 0);
    CHECK(seen["blocks_left"] == 0);
    CHECK(seen["mapped_growth"] <= (instrumented ? 1 << 20 : 0));
    CHECK(seen["descriptors_left"] == 0);
    // What a context has locked is given back some time after its end. A pool does not wait for
    // that: it is not registered then.
    CHECK(seen["context_cycles"] == contexts);
    CHECK(seen["context_registered"] >= (registers ? 1 : 0));
    CHECK(seen["context_registered"] <= (registers ? contexts : 0));
    CHECK(seen["context_wrong_bytes"] == 0);
    CHECK(seen["leases_left"] == 0);
}

TEST_CASE("registered buffers: a lease that outlives its pool is named with where it was taken") {
    harbour::open(); // for the lines, which the child process has for itself only
    harbour::take();
    harbour::kept.reset();
    harbour::pool.reset();
    const child_outcome outcome = in_child_process([] {
        run([]() -> task<> {
            auto jobs = [](task_group& group) -> task<> {
                group.start("harbour master", harbour::use());
                co_return;
            };
            co_await with_task_group(jobs);
        }());
        harbour::pool.reset();
    });
    CHECK(outcome.aborted);
    if (!detail::inspectable)
        return;
    const auto place = [](const char* function, unsigned line) {
        return std::string(function) + " (registered_buffers_test.cpp:" + std::to_string(line) +
               ") by the job harbour master";
    };
    const std::string made = place("void harbour::open()", harbour::line_of_pool);
    const std::string taken = place("void harbour::take()", harbour::line_of_lease);
    // Once by the context, which ends first, and once more by the pool, which cannot go on.
    CHECK(outcome.error_output ==
          "coracle: still held at the end: lease of a buffer_pool (buffer 0), made in " + taken +
              "\ncoracle: fatal: a buffer_pool, made in " + made +
              ", was destroyed with 1 of its 4 buffers leased: 1 taken in " + taken + "\n");
}
