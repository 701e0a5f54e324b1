// SPDX-License-Identifier: MIT
#include "loop.hpp"

#include "../memory/fatal.hpp"
#include "diagnostics/inspect.hpp"
#include "diagnostics/warning.hpp"
#include "scope.hpp"
#include <system_error>

namespace coracle {

loop::loop(driver& port)
    : driver_(&port), remote_queue_(std::make_shared<detail::remote_queue>(port)) {
    if (detail::this_thread.loop)
        detail::fatal("a second loop was made on a thread whose first one still lives: within "
                      "coracle::run, await the task instead of running it");
    detail::this_thread.loop = this;
    detail::this_thread.forked = false;
    detail::this_thread.iteration_start = port.now();
}

loop::~loop() {
    if (detail::this_thread.loop != this)
        detail::no_loop_here("a loop was destroyed on another thread than the one that made it");
    remote_queue_->close();
    detail::this_thread.loop = nullptr;
}

bool loop::is_current(const loop& asked) noexcept {
    return detail::this_thread.loop == &asked;
}

loop_handle loop::handle() {
    if (!ready_.on_own_thread())
        detail::fatal("loop::handle was called on another thread than that of the loop: take the "
                      "handle there, and pass it on");
    std::shared_ptr<detail::remote_queue> shared = handles_.lock();
    if (!shared) {
        shared.reset(remote_queue_.get(),
                     [kept = remote_queue_](detail::remote_queue*) { kept->wake(); });
        handles_ = shared;
    }
    return loop_handle(std::move(shared));
}

void loop::end_posting(std::vector<leak>& to) {
    remote_queue_->refuse();
    remote_queue_->list_work_items(to);
}

void loop::run_jobs() noexcept {
    remote_queue_->run_all();
    calls_ = 0;
    detail::this_thread.start_budget = start_budget;
    detail::this_thread.stack_limit =
        static_cast<const std::byte*>(__builtin_frame_address(0)) - stack_budget_bytes;
    // Both budgets are looked at, since the jobs after the one that has spent the second would
    // start all their children before any of these runs.
    for (int resumed = 0; resumed < ready_budget && detail::this_thread.start_budget > 0;
         ++resumed) {
        job* const next = ready_.pop();
        if (!next)
            break;
        detail::this_thread.inline_budget = next->inline_budget();
        next->resumption().resume();
    }
    detail::this_thread.running_job = nullptr;
    detail::this_thread.start_budget = 0;
}

void loop::collect() {
    require_own_thread();
    bool sleeps = ready_.empty() && remote_queue_->empty() && remote_queue_->fall_asleep();
    // After falling asleep, since from then on the end of the last handle wakes this loop.
    if (sleeps && deadlocked()) {
        break_deadlock();
        remote_queue_->awake();
        sleeps = false;
    }
    driver_->poll(sleeps ? timers_.next() : time_point::min());
    if (sleeps)
        remote_queue_->awake();
    detail::this_thread.iteration_start = driver_->now();
    timers_.advance(detail::this_thread.iteration_start);
}

void loop::require_own_thread() const noexcept {
    if (detail::this_thread.loop != this) [[unlikely]]
        detail::no_loop_here("a loop was run on another thread than the one that made it");
}

bool loop::deadlocked() const noexcept {
    // The queue is looked at once more, since the last handle may have posted before it went.
    return timers_.empty() && driver_->idle() && handles_.expired() && remote_queue_->fall_asleep();
}

void loop::break_deadlock() noexcept {
    try {
        warning("deadlock: every job waits, and nothing is left that could end a wait; the run is "
                "cancelled\n" +
                to_string(inspect()));
    } catch (...) {
        warning("deadlock: every job waits, and nothing is left that could end a wait");
    }
    deadlock_broken_ = true;
    main_->cancel(cancel_reason::deadlock);
    if (ready_.empty())
        detail::fatal("deadlock: cancelling ends none of the waits");
}

void loop::throw_deadlock(const std::exception_ptr& main_failure) {
    if (main_failure && !detail::is_cancellation(main_failure))
        detail::warn_of_exception("a failure after a deadlock", main_failure);
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                            "every job waited, and nothing could end a wait");
}

void loop::require_runnable() const noexcept {
    require_own_thread();
    if (main_)
        detail::fatal("a loop was run from within one of its own jobs: await the task instead");
}

} // namespace coracle
