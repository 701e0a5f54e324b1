// SPDX-License-Identifier: MIT
//
// fuzz: random programs, each of which must leave nothing behind.
//
//     fuzz --seeds 1000000 --from 1 --seconds 600
//
// Each seed is a program of jobs that read, write, wait, time out, are cancelled, throw and close
// what others use. Afterwards no frame, operation, socket, lease, object or descriptor may be left
// over. A program that fails or stops names its seed. A few seeds in a row share a context, so the
// command that it prints begins with the first of them.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "raw_sockets.hpp"
#include "stand_ins.hpp"
#include "world.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>

using namespace coracle;
using namespace std::chrono_literals;

namespace {

constexpr int exit_code_skipped = 77;
constexpr std::uint64_t seeds_per_context = 16;

/// A guard against hanging, and nothing else: a program takes some milliseconds.
constexpr auto longest_program = 60s;

std::atomic<std::uint64_t> present_seed{0};
std::atomic<std::uint64_t> first_of_context{0};

void name_seed(int number) {
    const std::uint64_t seed = present_seed;
    const std::uint64_t first = first_of_context;
    std::fprintf(stderr, "fuzz: seed %llu failed; again: fuzz --from %llu --seeds %llu\n",
                 static_cast<unsigned long long>(seed), static_cast<unsigned long long>(first),
                 static_cast<unsigned long long>(seed - first + 1));
    std::signal(number, SIG_DFL);
    std::raise(number);
}

/// Stops the program if a seed takes too long.
class watchdog {
public:
    ~watchdog() {
        {
            const std::lock_guard guard(lock_);
            over_ = true;
        }
        ended_.notify_one();
        thread_.join();
    }

private:
    void watch() {
        std::unique_lock guard(lock_);
        std::uint64_t seen = present_seed;
        while (!ended_.wait_for(guard, longest_program, [this] { return over_; })) {
            if (seen == present_seed)
                fuzz::fail("a program hangs");
            seen = present_seed;
        }
    }

    std::mutex lock_;
    std::condition_variable ended_;
    bool over_ = false;
    std::thread thread_{[this] { watch(); }};
};

/// What a program must leave as it was.
struct possessions {
    usage_report used = usage();
    std::vector<native_handle> descriptors = test::open_descriptors();

    void require_same_as(const possessions& before) const {
        fuzz::require(used.live_frames == before.used.live_frames, "frames are left");
        fuzz::require(used.operations == before.used.operations, "operations are left");
        fuzz::require(used.sockets == before.used.sockets, "sockets are left");
        fuzz::require(used.leases == before.used.leases, "leases are left");
        fuzz::require(used.objects == before.used.objects, "objects are left");
        fuzz::require(descriptors == before.descriptors, "descriptors are left");
    }
};

/// Some kinds of steps in each program: what is rare among all kinds is common in some programs.
std::vector<std::size_t> some_steps(fuzz::random& choose) {
    std::vector<std::size_t> kinds;
    const std::size_t chances = choose.between(1, 5);
    while (kinds.empty()) {
        for (std::size_t i = 0; i < fuzz::step_kinds(); ++i) {
            if (choose.one_in(chances))
                kinds.push_back(i);
        }
    }
    return kinds;
}

task<> program(std::uint64_t seed) {
    fuzz::random choose(seed);
    fuzz::world shared(choose);
    shared.use_steps(some_steps(choose));
    co_await shared.fill(choose);
    const std::chrono::microseconds limit(choose.between(100, 2000));
    try {
        co_await with_timeout(limit, fuzz::act(shared, choose.fork(), 0));
    } catch (const std::exception&) { // its own, or the time is over
    }
}

void run_seed(context& here, std::uint64_t seed) {
    const possessions before;
    here.run(program(seed));
    fuzz::require(here.operations_in_flight() == 0, "operations of the context are left");
    fuzz::require(here.open_sockets() == 0, "sockets of the context are left");
    fuzz::require(here.leaks().empty(), "something is still held");
    possessions().require_same_as(before);
}

struct options {
    std::uint64_t from = 1;
    std::uint64_t seeds = 2000;
    std::uint64_t seconds = 0; // no limit
};

std::uint64_t number_of(const char* text) {
    std::uint64_t value = 0;
    const char* const end = text + std::strlen(text);
    if (std::from_chars(text, end, value).ptr != end)
        fuzz::fail(std::string("not a number: ") + text);
    return value;
}

options parse(int count, char** arguments) {
    options chosen;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string_view name = arguments[i];
        const std::uint64_t value = number_of(arguments[i + 1]);
        if (name == "--from")
            chosen.from = value;
        else if (name == "--seeds")
            chosen.seeds = value;
        else if (name == "--seconds")
            chosen.seconds = value;
        else
            fuzz::fail("usage: fuzz [--from SEED] [--seeds COUNT] [--seconds LIMIT]");
    }
    return chosen;
}

std::uint64_t run_seeds(const options& chosen) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(chosen.seconds);
    std::uint64_t done = 0;
    while (done < chosen.seeds) {
        if (chosen.seconds != 0 && std::chrono::steady_clock::now() >= end)
            break;
        first_of_context = chosen.from + done;
        const possessions before;
        {
            context here;
            for (std::uint64_t i = 0; i < seeds_per_context && done < chosen.seeds; ++i, ++done) {
                present_seed = chosen.from + done;
                run_seed(here, present_seed);
            }
        }
        possessions().require_same_as(before);
    }
    return done;
}

} // namespace

int main(int argument_count, char** arguments) {
    test::install_stand_ins();
    doctest::Context outside_of_tests;
    outside_of_tests.setAsDefaultForAssertsOutOfTestCases();
    const char* const backend = std::getenv("CORACLE_BACKEND");
    if (backend && *backend && !probe_backend(backend).works) {
        std::printf("skipped: %s does not work here\n", backend);
        return exit_code_skipped;
    }
    const options chosen = parse(argument_count, arguments);
    set_warning_handler([](std::string_view) noexcept {}); // failures that nobody awaits are many
    for (const int number : {SIGABRT, SIGSEGV})
        std::signal(number, name_seed);
    const watchdog guard;
    const std::uint64_t done = run_seeds(chosen);
    std::printf("fuzz: %llu programs from seed %llu left nothing\n",
                static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(chosen.from));
}
