// SPDX-License-Identifier: MIT
//
// await_point_sweep: runs a scenario again and again, and cancels it at its first suspension, then
// at its second, and so on to the end: wherever a job can be while it is cancelled. Instead of
// being cancelled it may be struck by something else, such as the end of its time.
//
// A suspension is a moment at which a resumed job has given control back to the loop. The sweep is
// a job itself that resumes the others one at a time, so it meets each of these moments; between
// two of them nothing else could run on the loop's thread. The loop comes from a fixture, which is
// made anew for each run and says whether time on it is exact, how to wait until a job is ready,
// and, when it goes, whether anything was left behind.
#pragma once

#include "lone_job.hpp"

#include <chrono>
#include <concepts>
#include <coracle/runtime/loop.hpp>
#include <coracle/runtime/task.hpp>
#include <coroutine>
#include <doctest/doctest.h>
#include <exception>
#include <system_error>
#include <utility>
#include <vector>

namespace coracle::test {

/// Makes the job of `frame` ready, before all that are ready already.
inline void schedule_first(detail::promise_base& frame) {
    ready_queue& ready = loop::current().ready();
    std::vector<job*> others;
    while (job* const each = ready.pop())
        others.push_back(each);
    frame.owner->schedule(frame);
    for (job* const each : others)
        ready.push(*each);
}

/// Lets exactly one job that is ready run until it suspends, then goes on.
class let_one_run {
public:
    [[nodiscard]] static bool await_ready() noexcept { return loop::current().ready().empty(); }

    template <std::derived_from<detail::promise_base> Promise>
    static void await_suspend(std::coroutine_handle<Promise> awaiting) {
        ready_queue& ready = loop::current().ready();
        job* const first = ready.pop();
        schedule_first(awaiting.promise());
        std::vector<job*> others;
        while (job* const each = ready.pop())
            others.push_back(each);
        ready.push(*first);
        for (job* const each : others)
            ready.push(*each);
    }

    static void await_resume() noexcept {}
};

/// What became of a scenario.
struct sweep_outcome {
    bool struck = false;                          // before it had ended
    std::exception_ptr failure;                   // null if it completed
    std::chrono::nanoseconds time_after_strike{}; // until it ended
};

/// The code of a std::system_error or of a cancellation; of any other exception one that nobody
/// expects.
inline std::error_code code_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const cancelled&) {
        return std::make_error_code(std::errc::operation_canceled);
    } catch (const std::system_error& error) {
        return error.code();
    } catch (const std::exception& error) {
        MESSAGE("it threw: " << error.what());
    }
    return std::make_error_code(std::errc::state_not_recoverable);
}

template <class Fixture>
class await_point_sweep {
public:
    /// What is done to the scenario at each suspension, and the error that it may end with then.
    using strike = void (*)(Fixture& fixture, job& scenario);

    await_point_sweep() = default;

    await_point_sweep(strike by, std::errc expected) noexcept : strike_(by), expected_(expected) {}

    /// Time may pass between the strike and the end, because the scenario cleans up.
    await_point_sweep& may_take_time() noexcept {
        may_take_time_ = true;
        return *this;
    }

    /// The scenario may complete although it was struck before its end.
    await_point_sweep& may_complete() noexcept {
        may_complete_ = true;
        return *this;
    }

    /// Runs the task that `scenario()` gives once for each of its suspensions, and once
    /// undisturbed. Returns how many suspensions there were.
    template <class Scenario>
    int run(Scenario scenario) {
        for (int point = 1;; ++point) {
            CAPTURE(point);
            const sweep_outcome outcome = run_once(scenario, point);
            if (outcome.failure) {
                REQUIRE(outcome.struck);
                CHECK(code_of(outcome.failure) == expected_);
            } else if (outcome.struck) {
                CHECK(may_complete_);
            } else {
                return point - 1;
            }
            if (Fixture::exact_time && !may_take_time_)
                CHECK(outcome.time_after_strike == std::chrono::nanoseconds::zero());
        }
    }

private:
    template <class Scenario>
    sweep_outcome run_once(Scenario& scenario, int strike_at) {
        Fixture fixture;
        sweep_outcome outcome;
        fixture.run([&]() -> task<> {
            lone_job target;
            task<> root = scenario();
            root.start(target);
            time_point struck_at;
            for (int point = 1; !target.ended(); ++point) {
                if (loop::current().ready().empty())
                    co_await fixture.until_ready();
                co_await let_one_run();
                if (point == strike_at && !target.ended()) {
                    struck_at = now();
                    outcome.struck = true;
                    strike_(fixture, target);
                }
            }
            outcome.failure = root.failure();
            if (outcome.struck)
                outcome.time_after_strike = now() - struck_at;
            co_await fixture.check_usable();
        });
        return outcome;
    }

    static void cancel(Fixture&, job& scenario) noexcept { scenario.cancel(); }

    strike strike_ = cancel;
    std::errc expected_ = std::errc::operation_canceled;
    bool may_take_time_ = false;
    bool may_complete_ = false;
};

} // namespace coracle::test
