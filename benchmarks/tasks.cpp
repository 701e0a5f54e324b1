// SPDX-License-Identifier: MIT
//
// What the runtime itself costs, without any socket: to start a task and see it end, to yield, to
// await a child that ends at once, to set a timer and cancel it while a million others wait.
#include "rounds.hpp"

#include <coracle/io/context.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task_group.hpp>

#include <chrono>
#include <cstddef>
#include <random>

namespace {

using coracle::task;

constexpr std::size_t repetitions = 200'000;

// Not inlined: a compiler that sees both sides may leave out the child's frame altogether.
[[gnu::noinline]] task<> nothing() {
    co_return;
}

[[gnu::noinline]] task<std::size_t> one() {
    co_return 1;
}

task<double> start_and_finish() {
    constexpr std::size_t batch = 64;
    constexpr std::size_t batches = repetitions / batch;
    auto body = [](coracle::task_group& group) -> task<double> {
        const benchmark::stopwatch watch;
        for (std::size_t i = 0; i < batches; ++i) {
            for (std::size_t j = 0; j < batch; ++j)
                group.start(nothing());
            co_await coracle::yield(); // until all of the batch have ended
        }
        co_return watch.nanoseconds_each(batches * batch);
    };
    co_return co_await coracle::with_task_group(body);
}

task<double> yield_often() {
    const benchmark::stopwatch watch;
    for (std::size_t i = 0; i < repetitions; ++i)
        co_await coracle::yield();
    co_return watch.nanoseconds_each(repetitions);
}

task<double> await_children() {
    const benchmark::stopwatch watch;
    std::size_t sum = 0;
    for (std::size_t i = 0; i < repetitions; ++i)
        sum += co_await one();
    const double each_ns = watch.nanoseconds_each(repetitions);
    if (sum != repetitions)
        benchmark::fail("a child's result got lost", EPROTO);
    co_return each_ns;
}

class idle_timer final : public coracle::timer {
public:
    using coracle::timer::disarm;

private:
    void expired() noexcept override {}
};

/// Deadlines of servers: between one second and a minute away, in no order.
std::vector<coracle::time_point> random_deadlines(std::size_t count) {
    std::mt19937_64 random(1);
    std::uniform_int_distribution<std::int64_t> delay_ns(1'000'000'000, 60'000'000'000);
    const coracle::time_point now = coracle::now();
    std::vector<coracle::time_point> deadlines(count);
    for (coracle::time_point& each : deadlines)
        each = now + std::chrono::nanoseconds(delay_ns(random));
    return deadlines;
}

task<double> set_and_cancel_timers() {
    constexpr std::size_t pending = 1'000'000;
    const std::vector<coracle::time_point> deadlines = random_deadlines(pending);
    coracle::timer_wheel& wheel = coracle::loop::current().timer_wheel();
    std::vector<idle_timer> waiting(pending);
    for (std::size_t i = 0; i < pending; ++i)
        wheel.add(waiting[i], deadlines[i]);
    idle_timer measured;
    const benchmark::stopwatch watch;
    for (std::size_t i = 0; i < repetitions; ++i) {
        wheel.add(measured, deadlines[i]);
        measured.disarm();
    }
    co_return watch.nanoseconds_each(repetitions);
}

void add(benchmark::rounds& contest, const char* what, task<double> (*measure)()) {
    contest.add(what, [measure] { return coracle::run(measure()); });
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned round_count = arguments.take_number("--rounds", 21);
    arguments.finish();
    benchmark::rounds contest;
    add(contest, "start and finish a task", start_and_finish);
    add(contest, "yield", yield_often);
    add(contest, "await a child that ends at once", await_children);
    add(contest, "set and cancel a timer, one million pending", set_and_cancel_timers);
    contest.run(round_count);
    contest.print("runtime");
}
