// SPDX-License-Identifier: MIT
//
// loop: runs the jobs of one thread.
//
// An iteration is: what other threads posted, then jobs that are ready (a bounded number), then one
// poll of the driver, which sleeps only if nothing else is to be done, then timers that have
// expired. Frames are resumed here and nowhere else.
#pragma once

#include "awaitable.hpp"
#include "diagnostics/failed_job.hpp"
#include "driver.hpp"
#include "job.hpp"
#include "task.hpp"
#include "threads/loop_handle.hpp"
#include "timer_wheel.hpp"
#include <exception>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace coracle {

class loop {
public:
    /// The loop borrows `port`, and belongs to the thread that makes it.
    explicit loop(driver& port);
    ~loop();
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    /// The loop that runs on this thread. It is an error, which stops the program, to ask where
    /// none does: everything that awaits needs one.
    [[nodiscard]] static loop& current();

    [[nodiscard]] static bool is_current(const loop& asked) noexcept;

    /// Runs `main` and everything that it starts to the end, and returns or throws its result. Not
    /// from within one of its jobs, which stops the program: there, await the task. A `cancelled`
    /// that nobody has caught is thrown as std::system_error with operation_canceled, since outside
    /// of jobs nothing is cancelled.
    ///
    /// A deadlock ends it: if every job waits, and no operation, no timer and no loop_handle is
    /// there to end any wait, a warning shows who waits for what, `main` is cancelled, and this
    /// throws resource_deadlock_would_occur. What cancelling does not end stops the program.
    template <class T>
    T run(task<T> main);

    template <awaitable Main>
    await_result_t<Main> run(Main main) {
        return run(detail::as_task(std::move(main)));
    }

    /// A way to reach this loop from other threads. Taken on the loop's own thread, and passed on.
    [[nodiscard]] loop_handle handle();

    [[nodiscard]] time_point now() noexcept { return driver_->now(); }

    // The rest is for jobs, awaiters and backends.

    [[nodiscard]] coracle::timer_wheel& timer_wheel() noexcept { return timers_; }

    [[nodiscard]] ready_queue& ready() noexcept { return ready_; }

    /// See failed_job.
    [[nodiscard]] detail::failure_record& last_failure() noexcept { return last_failure_; }

    /// Refuses what is posted from now on, and adds what will not be run any more.
    void end_posting(std::vector<leak>& to);

    /// A job has called the kernel and goes on at once. An iteration allows a limited number of
    /// such calls before it polls again.
    void note_call() noexcept {
        if (++calls_ >= call_budget) [[unlikely]]
            detail::this_thread.start_budget = 0;
    }

private:
    /// The first half of an iteration: what was posted, then a number of the jobs that are ready.
    void run_jobs() noexcept;

    /// The second half: learns what has happened, and sleeps until something does.
    void collect();

    /// Whether nothing can end the wait of any job. Asked when all of them wait.
    [[nodiscard]] bool deadlocked() const noexcept;
    void break_deadlock() noexcept;
    [[noreturn]] static void throw_deadlock(const std::exception_ptr& main_failure);

    /// Stops the program if it may not run here, or runs already.
    void require_runnable() const noexcept;

    /// A run that is under way may find itself in a forked child.
    void require_own_thread() const noexcept;

    friend class inspection;

    /// The most jobs resumed in one iteration, so that the kernel is asked often enough.
    static constexpr int ready_budget = 256;

    /// The same for the steps of children that run within the job that starts them.
    static constexpr int start_budget = 16384;

    /// The same for the machine stack that these children use, when each starts the next one.
    static constexpr std::ptrdiff_t stack_budget_bytes = 64 * 1024;

    /// The same for what they ask of the kernel, which each of them may do many times.
    static constexpr int call_budget = 256;

    driver* driver_;
    int calls_ = 0; // in this iteration
    ready_queue ready_;
    coracle::timer_wheel timers_;
    job* main_ = nullptr; // the root of all jobs, while `run` runs it
    bool deadlock_broken_ = false;
    detail::failure_record last_failure_;
    std::shared_ptr<detail::remote_queue> remote_queue_;
    std::weak_ptr<detail::remote_queue> handles_; // to the same, shared by the handles only
};

inline loop& loop::current() {
    if (!detail::this_thread.loop) [[unlikely]]
        detail::no_loop_here("no loop runs on this thread: call this from within coracle::run");
    return *detail::this_thread.loop;
}

/// The present on this thread's loop.
[[nodiscard]] inline time_point now() {
    return loop::current().now();
}

namespace detail {

/// The job of the task given to `run`.
class main_job final : public job {
public:
    explicit main_job(ready_queue& ready) noexcept : job(ready) {}

    std::coroutine_handle<> finished() noexcept override {
        ended_ = true;
        return std::noop_coroutine();
    }

    [[nodiscard]] bool ended() const noexcept { return ended_; }

private:
    bool ended_ = false;
};

/// Notes which job is the root of all for as long as it runs.
class main_mark {
public:
    main_mark(job*& place, job& main) noexcept : place_(place) { place_ = &main; }

    ~main_mark() { place_ = nullptr; }

    main_mark(const main_mark&) = delete;
    main_mark& operator=(const main_mark&) = delete;

private:
    job*& place_;
};

} // namespace detail

template <class T>
T loop::run(task<T> main) {
    require_runnable();
    detail::main_job job(ready_);
    task<T> root(std::move(main)); // goes before its job, should the driver throw
    const detail::main_mark running(main_, job);
    root.start(job);
    // Not asked once more after the end: with nothing left to wake it, the driver would sleep.
    for (run_jobs(); !job.ended(); run_jobs())
        collect();
    if (std::exchange(deadlock_broken_, false))
        throw_deadlock(root.failure());
    detail::warn_of_end(root.failure());
    try {
        return root.take();
    } catch (const cancelled&) {
        throw std::system_error(std::make_error_code(std::errc::operation_canceled));
    }
}

} // namespace coracle
