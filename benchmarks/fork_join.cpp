// SPDX-License-Identifier: MIT
//
// What it costs to fork and join: a tree of calls, each of which runs its children as jobs of their
// own and waits for them. fib(30) forks 1.3 million times in two; skynet forks in ten down to a
// million leaves. The same tree by plain awaiting tells what the calls cost by themselves.
#include "rounds.hpp"

#include <coracle/io/context.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using coracle::task;
using coracle::task_group;
using coracle::when_all;

// --- fib ----------------------------------------------------------------------------------------

constexpr unsigned fib_of = 30;
constexpr std::uint64_t fib_value = 832'040;

task<std::uint64_t> fib_by_await(unsigned n) {
    if (n < 2)
        co_return n;
    const std::uint64_t first = co_await fib_by_await(n - 1);
    const std::uint64_t second = co_await fib_by_await(n - 2);
    co_return first + second;
}

task<std::uint64_t> fib_by_when_all(unsigned n) {
    if (n < 2)
        co_return n;
    const auto [first, second] = co_await when_all(fib_by_when_all(n - 1), fib_by_when_all(n - 2));
    co_return first + second;
}

task<> fib_by_group(unsigned n, std::uint64_t& value) {
    if (n < 2) {
        value = n;
        co_return;
    }
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    auto body = [&](task_group& group) -> task<> {
        group.start(fib_by_group(n - 1, first));
        group.start(fib_by_group(n - 2, second));
        co_return;
    };
    co_await coracle::with_task_group(body);
    value = first + second;
}

task<std::uint64_t> fib_by_group_of(unsigned n) {
    std::uint64_t value = 0;
    co_await fib_by_group(n, value);
    co_return value;
}

// --- skynet -------------------------------------------------------------------------------------

constexpr unsigned skynet_levels = 6;
constexpr std::uint64_t skynet_value = 499'999'500'000;

/// The number of leaves below each child of a node that is `levels` above the leaves.
std::uint64_t leaves_of_child(unsigned levels) {
    std::uint64_t leaves = 1;
    while (--levels > 0)
        leaves *= 10;
    return leaves;
}

task<std::uint64_t> skynet_by_await(std::uint64_t first, unsigned levels) {
    if (levels == 0)
        co_return first;
    const std::uint64_t step = leaves_of_child(levels);
    std::uint64_t sum = 0;
    for (std::uint64_t index = 0; index < 10; ++index)
        sum += co_await skynet_by_await(first + index * step, levels - 1);
    co_return sum;
}

task<std::uint64_t> skynet_by_when_all(std::uint64_t first, unsigned levels) {
    if (levels == 0)
        co_return first;
    const std::uint64_t step = leaves_of_child(levels);
    auto child = [&](std::uint64_t index) {
        return skynet_by_when_all(first + index * step, levels - 1);
    };
    const auto sums = co_await when_all(child(0), child(1), child(2), child(3), child(4), child(5),
                                        child(6), child(7), child(8), child(9));
    co_return std::apply([](auto... each) { return (each + ...); }, sums);
}

task<std::uint64_t> skynet_by_range(std::uint64_t first, unsigned levels) {
    if (levels == 0)
        co_return first;
    const std::uint64_t step = leaves_of_child(levels);
    std::vector<task<std::uint64_t>> children;
    children.reserve(10);
    for (std::uint64_t index = 0; index < 10; ++index)
        children.push_back(skynet_by_range(first + index * step, levels - 1));
    const std::vector<std::uint64_t> sums = co_await when_all(std::move(children));
    std::uint64_t sum = 0;
    for (const std::uint64_t each : sums)
        sum += each;
    co_return sum;
}

task<> skynet_by_group(std::uint64_t first, unsigned levels, std::uint64_t& sum) {
    if (levels == 0) {
        sum += first;
        co_return;
    }
    const std::uint64_t step = leaves_of_child(levels);
    std::uint64_t below = 0;
    auto body = [&](task_group& group) -> task<> {
        for (std::uint64_t index = 0; index < 10; ++index)
            group.start(skynet_by_group(first + index * step, levels - 1, below));
        co_return;
    };
    co_await coracle::with_task_group(body);
    sum += below;
}

task<std::uint64_t> skynet_by_group_of(std::uint64_t first, unsigned levels) {
    std::uint64_t sum = 0;
    co_await skynet_by_group(first, levels, sum);
    co_return sum;
}

// --- Measuring ----------------------------------------------------------------------------------

using tree = coracle::task<std::uint64_t> (*)();

struct form {
    const char* what;
    tree make;
    std::uint64_t expected;
};

constexpr form forms[] = {
    {"fib(30), awaited", [] { return fib_by_await(fib_of); }, fib_value},
    {"fib(30), when_all", [] { return fib_by_when_all(fib_of); }, fib_value},
    {"fib(30), task_group", [] { return fib_by_group_of(fib_of); }, fib_value},
    {"skynet, awaited", [] { return skynet_by_await(0, skynet_levels); }, skynet_value},
    {"skynet, when_all", [] { return skynet_by_when_all(0, skynet_levels); }, skynet_value},
    {"skynet, when_all of a range", [] { return skynet_by_range(0, skynet_levels); }, skynet_value},
    {"skynet, task_group", [] { return skynet_by_group_of(0, skynet_levels); }, skynet_value},
};

void run(const form& chosen) {
    if (coracle::run(chosen.make()) != chosen.expected)
        benchmark::fail("a child's result got lost", EPROTO);
}

/// The peak of the resident memory of a process that runs `work` alone, in KiB.
template <class Work>
long peak_kib(Work work) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child < 0)
        benchmark::fail("fork", errno);
    if (child == 0) {
        work();
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    rusage used{};
    if (wait4(child, &status, 0, &used) != child || status != 0)
        benchmark::fail("the child that tells the memory", ECHILD);
    return used.ru_maxrss;
}

void print_memory() {
    const long nothing_kib = peak_kib([] { coracle::run(fib_by_await(1)); });
    std::printf("| %-44s | peak KiB |\n|%s|---------:|\n", "resident memory beyond that of fib(1)",
                std::string(46, '-').c_str());
    for (const form& each : forms)
        std::printf("| %-44s | %8ld |\n", each.what, peak_kib([&] { run(each); }) - nothing_kib);
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned round_count = arguments.take_number("--rounds", 5);
    arguments.finish();
    print_memory();
    benchmark::rounds contest;
    for (const form& each : forms) {
        contest.add(each.what, [&each] {
            const benchmark::stopwatch watch;
            run(each);
            return watch.nanoseconds_each(1'000'000); // of which one is a millisecond
        });
    }
    contest.run(round_count);
    std::printf("\n");
    contest.print("fork and join", "ms");
}
