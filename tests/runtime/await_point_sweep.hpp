// SPDX-License-Identifier: MIT
//
// await_point_sweep: runs a scenario again and again, and cancels it at its first suspension, then
// at its second, and so on to the end: wherever a job can be while it is cancelled.
//
// A suspension is a moment at which a resumed job has given control back to the loop. The sweep is
// a job itself that resumes the others one at a time, so it meets each of these moments; between
// two of them nothing else could run on the loop's thread.
#pragma once

#include "virtual_loop.hpp"

#include <coracle/runtime/job.hpp>
#include <coracle/runtime/loop.hpp>
#include <coracle/runtime/scope.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task.hpp>
#include <coroutine>
#include <doctest/doctest.h>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace coracle::test {

/// Lets exactly one job that is ready run until it suspends, then goes on.
class let_one_run {
public:
    [[nodiscard]] static bool await_ready() noexcept { return loop::current().ready().empty(); }

    template <std::derived_from<detail::promise_base> Promise>
    static void await_suspend(std::coroutine_handle<Promise> awaiting) {
        ready_queue& ready = loop::current().ready();
        std::vector<job*> waiting;
        while (job* const each = ready.pop())
            waiting.push_back(each);
        ready.push(*waiting.front());
        detail::promise_base& frame = awaiting.promise();
        frame.owner->schedule(frame);
        for (std::size_t i = 1; i < waiting.size(); ++i)
            ready.push(*waiting[i]);
    }

    static void await_resume() noexcept {}
};

/// How a scenario ended that was cancelled on its way.
struct sweep_outcome {
    bool cancelled = false;                       // before it had ended
    bool completed = false;                       // with its value, rather than an exception
    std::exception_ptr failure;                   // null if it completed
    std::chrono::nanoseconds time_after_cancel{}; // until it ended
};

class await_point_sweep {
public:
    /// Time may pass between cancellation and end, because the scenario cleans up.
    await_point_sweep& may_take_time() noexcept {
        may_take_time_ = true;
        return *this;
    }

    /// The scenario may complete although it was cancelled before its end.
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
            if (!outcome.cancelled) {
                CHECK(outcome.completed);
                return point - 1;
            }
            if (!outcome.completed)
                CHECK(detail::is_cancellation(outcome.failure));
            if (!may_complete_)
                CHECK_FALSE(outcome.completed);
            if (!may_take_time_)
                CHECK(outcome.time_after_cancel == std::chrono::nanoseconds::zero());
        }
    }

private:
    class root_job final : public job {
    public:
        explicit root_job(ready_queue& ready) noexcept : job(ready) {}

        std::coroutine_handle<> finished() noexcept override {
            ended_ = true;
            return std::noop_coroutine();
        }

        [[nodiscard]] bool ended() const noexcept { return ended_; }

    private:
        bool ended_ = false;
    };

    /// On a loop of its own, whose fixture checks that nothing is left behind.
    template <class Scenario>
    static sweep_outcome run_once(Scenario& scenario, int cancel_at) {
        virtual_loop fixture;
        sweep_outcome outcome;
        fixture.run([&]() -> task<> {
            root_job target(loop::current().ready());
            task<> root = scenario();
            root.start(target);
            std::optional<time_point> cancelled_at;
            for (int point = 1; !target.ended(); ++point) {
                if (loop::current().ready().empty())
                    co_await sleep_until(loop::current().timers().next());
                co_await let_one_run();
                if (point == cancel_at && !target.ended()) {
                    cancelled_at = now();
                    outcome.cancelled = true;
                    target.cancel();
                }
            }
            outcome.failure = root.failure();
            outcome.completed = !outcome.failure;
            if (cancelled_at)
                outcome.time_after_cancel = now() - *cancelled_at;
            // The loop is as usable as before.
            const time_point start = now();
            co_await sleep_for(std::chrono::milliseconds(1));
            CHECK(now() == start + std::chrono::milliseconds(1));
        });
        return outcome;
    }

    bool may_take_time_ = false;
    bool may_complete_ = false;
};

} // namespace coracle::test
