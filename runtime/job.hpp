// SPDX-License-Identifier: MIT
//
// job: one line of concurrent execution, the chain of frames that wait on each other.
//
// Invariants. Every promise in the chain points to its job. A job is running, or in the ready
// queue, or waits on exactly one awaiter. An awaiter ends its wait by `wake`, once; nothing
// else resumes a waiting job.
//
// The rule of cancellation.
//
// 1. A job is cancelled for good, and for one reason. Whatever it waits for is asked to end, and
//    the jobs below it are cancelled too.
// 2. An await that had begun before ends when what it waits for has ended: with cancellation, or
//    with its value or error if that came first.
// 3. An await that begins afterwards ends with cancellation and does nothing else: no operation is
//    submitted, no task is entered. It does not matter what is awaited: an operation, a task,
//    yield, check_cancelled or an awaitable of another library. The job resumes through the ready
//    queue, so a loop that goes on regardless does not keep others from running.
// 4. Exceptions: `shielded` runs what it is given, and waiting for child jobs goes on until they
//    have ended.
// 5. To end with cancellation is to throw `cancelled`, or with as_result to give
//    std::errc::operation_canceled.
// 6. A job started in a cancelled group is cancelled from the start, and the next await of the job
//    that started it ends with cancellation: only that one, unless that job is cancelled too.
#pragma once

#include "../memory/frame_allocator.hpp"
#include "cancelled.hpp"
#include "diagnostics/creation_site.hpp"
#include "driver.hpp"
#include "thread_state.hpp"
#include "threads/thread_owner.hpp"
#include <coroutine>
#include <cstddef>
#include <source_location>
#include <utility>

namespace coracle {

class job;

namespace detail {

class promise_base;
struct awaiter_notes;

} // namespace detail

/// What a job waits for: an operation, a timer, an event, a scope of child jobs. It lives in the
/// awaiting frame. It may be moved until it is awaited; from then until the frame has been resumed
/// it can be neither moved nor destroyed: that stops the program with a message.
class awaiter {
public:
    awaiter& operator=(const awaiter&) = delete;

    /// Asks for an early end. Does not resume anything by itself, and may come too late.
    virtual void interrupt() noexcept = 0;

    /// What this is, for messages: "read", "sleep", "task_group".
    [[nodiscard]] const char* kind() const noexcept { return kind_; }

    /// Since when it has been waited for.
    [[nodiscard]] time_point since() const noexcept { return since_.get(); }

    /// Adds details for inspect(): the descriptor and peer, or the child jobs.
    virtual void describe(detail::awaiter_notes&) const {}

protected:
    explicit awaiter(const char* kind) noexcept : kind_(kind) {}

    awaiter(const awaiter& idle) noexcept : kind_(idle.kind_) {
        if (idle.waiter_)
            idle.abandoned();
    }

    ~awaiter() {
        if (waiter_) [[unlikely]]
            abandoned();
    }

    /// Begins the wait of the job that `frame` is part of; the caller suspends the frame.
    void begin(detail::promise_base& frame) noexcept;

    /// Ends the wait: the job becomes ready.
    void wake() noexcept;

    /// Undoes `begin`: there is nothing to wait for, and the frame is not suspended.
    void resume_inline() noexcept;

    /// The frame has been resumed.
    void end() noexcept { waiter_ = nullptr; }

    [[nodiscard]] job* waiter() const noexcept { return waiter_; }

private:
    [[noreturn]] void abandoned() const noexcept;
    [[noreturn]] void woken_on_wrong_thread() const noexcept;

    const char* kind_;
    job* waiter_ = nullptr; // from the begin of the wait until the frame has been resumed
    [[no_unique_address]] detail::recorded<time_point> since_;
};

namespace detail {

/// `thread_state::inline_budget` when the loop resumes a job.
inline constexpr int inline_budget_full = 64;

/// With this budget, the next step of the running job goes through the ready queue.
inline constexpr int inline_budget_spent = 1;

/// The base of every promise. Aligned so that the address of the frame can be computed from its own
/// address whatever the derived promise holds: see `handle_of`.
class alignas(16) promise_base {
public:
    explicit promise_base(const std::source_location& at) noexcept : where(at) {}

    static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }

    static void operator delete(void* frame, std::size_t bytes) noexcept {
        deallocate_frame(frame, bytes);
    }

    job* owner = nullptr;                 // the job whose chain this frame is part of
    promise_base* continuation = nullptr; // the frame that awaits this one; none for a job's root

    // The await at which this frame is suspended; before the first one, the coroutine itself.
    [[no_unique_address]] recorded<std::source_location> where;
};

[[nodiscard]] inline std::coroutine_handle<> handle_of(promise_base& promise) noexcept {
    return std::coroutine_handle<promise_base>::from_promise(promise);
}

} // namespace detail

/// FIFO of the jobs that are ready. Intrusive: nothing is allocated.
class ready_queue {
public:
    ready_queue() = default;
    ready_queue(const ready_queue&) = delete;
    ready_queue& operator=(const ready_queue&) = delete;

    void push(job& ready) noexcept;
    [[nodiscard]] job* pop() noexcept;

    [[nodiscard]] bool empty() const noexcept { return !first_; }

    /// Whether this is the thread that made it, which alone may use it and its jobs.
    [[nodiscard]] bool on_own_thread() const noexcept { return thread_ == &detail::this_thread; }

private:
    job* first_ = nullptr;
    job** last_ = &first_;
    const detail::thread_state* thread_ = &detail::this_thread;
};

/// The name of a job: a string literal, so that it outlives the job.
class job_label {
public:
    template <std::size_t Size>
    consteval job_label(const char (&literal)[Size]) noexcept : text_(literal) {}

    [[nodiscard]] const char* text() const noexcept { return text_; }

private:
    const char* text_;
};

class job : detail::job_name {
public:
    job(const job&) = delete;
    job& operator=(const job&) = delete;

    /// Cancels this job and the jobs below it, by the rule above. A second time changes nothing.
    /// On the job's own thread only.
    void cancel(cancel_reason why = cancel_reason::requested) noexcept;

    [[nodiscard]] bool cancelled() const noexcept { return reason_ != cancel_reason::none; }

    [[nodiscard]] coracle::cancel_reason cancel_reason() const noexcept { return reason_; }

    /// The job that runs on this thread; null while none does.
    [[nodiscard]] static job* current() noexcept {
        return static_cast<job*>(detail::this_thread.running_job);
    }

    /// What this job waits for; null while it runs or is ready.
    [[nodiscard]] const awaiter* pending() const noexcept { return awaiter_; }

    /// The frame in which it is suspended, whose continuations are the others of the chain; null
    /// while it runs.
    [[nodiscard]] const detail::promise_base* frame() const noexcept { return frame_; }

    /// Where this job was suspended last.
    [[nodiscard]] std::source_location where() const noexcept {
        return frame_ ? frame_->where.get() : std::source_location();
    }

    [[nodiscard]] time_point started() const noexcept { return started_.get(); }

    /// The name that it was given, or else its root function. Empty where nothing is recorded.
    [[nodiscard]] const char* name() const noexcept {
        const char* const given = text.get();
        return given ? given : "";
    }

    /// The job that waits for this one; null for that of the task given to `run`.
    [[nodiscard]] virtual const job* parent() const noexcept { return nullptr; }

    // The rest is for awaiters, promises and the loop.

    void set_name(job_label name) noexcept { text = name.text(); }

    /// Whether an await that `frame` begins now is to end with cancellation. Every awaiter asks
    /// this once, before it does anything.
    [[nodiscard]] bool refuses(const detail::promise_base& frame) noexcept {
        return refusing_ && refuse(frame);
    }

    /// The next await ends with cancellation, and then no other.
    void refuse_next() noexcept;

    /// The steps that the job may take when it is resumed by the loop: see `inline_budget`.
    [[nodiscard]] int inline_budget() const noexcept {
        return refusing_ ? detail::inline_budget_spent : detail::inline_budget_full;
    }

    /// Without a name, the job is called after its root function.
    void name_after(const detail::promise_base& root) noexcept {
        if (detail::inspectable && !text.get())
            text = root.where.get().function_name();
    }

    /// Ends the wait. The caller resumes the returned frame at once: the job is not queued.
    [[nodiscard]] std::coroutine_handle<> wake_inline() noexcept {
        awaiter_ = nullptr;
        set_current();
        if (refusing_)
            detail::this_thread.inline_budget = detail::inline_budget_spent;
        return resume_or_yield(*std::exchange(frame_, nullptr));
    }

    /// Makes the job ready, to go on with `frame`.
    void schedule(detail::promise_base& frame) noexcept {
        frame_ = &frame;
        ready_->push(*this);
    }

    /// Says where the job begins. Until it runs it counts as ready.
    void begin_with(detail::promise_base& root) noexcept {
        root.owner = this;
        name_after(root);
        frame_ = &root;
    }

    /// Begins the job at once, within the job that starts it: returns when it waits for the first
    /// time or has ended, and is gone maybe. Where the budgets are spent, it is made ready instead.
    void run_at_once() noexcept;

    /// Begins the job in place of the one that starts it. The caller, which waits from now on,
    /// resumes the returned frame.
    [[nodiscard]] std::coroutine_handle<> enter() noexcept {
        if (refusing_ || --detail::this_thread.inline_budget <= 0) [[unlikely]] {
            ready_->push(*this);
            return std::noop_coroutine();
        }
        return resumption();
    }

    /// The frame with which a job taken from the ready queue goes on.
    [[nodiscard]] std::coroutine_handle<> resumption() noexcept {
        set_current();
        return detail::handle_of(*std::exchange(frame_, nullptr));
    }

    /// Whether the budget of inline steps is spent. If so, the job is queued to resume `next`; if
    /// not, the caller resumes it.
    [[nodiscard]] bool should_yield(detail::promise_base& next) noexcept {
        if (--detail::this_thread.inline_budget > 0) [[likely]]
            return false;
        schedule(next);
        return true;
    }

    /// The frame to resume: `next`, or none if the job yields first.
    [[nodiscard]] std::coroutine_handle<> resume_or_yield(detail::promise_base& next) noexcept {
        if (should_yield(next))
            return std::noop_coroutine();
        return detail::handle_of(next);
    }

    /// The root frame has come to its end and its result is in it. Returns what to resume next; the
    /// job and its frames may be gone afterwards.
    [[nodiscard]] virtual std::coroutine_handle<> finished() noexcept = 0;

protected:
    explicit job(ready_queue& ready) noexcept : ready_(&ready) {}

    ~job() = default;

private:
    friend class awaiter;
    friend class ready_queue;

    void set_current() noexcept { detail::this_thread.running_job = this; }

    /// Counts an await that is refused, and warns of a job that does not end. Returns true.
    bool refuse(const detail::promise_base& frame) noexcept;

    ready_queue* ready_; // of the loop that this job belongs to
    job* next_ready_ = nullptr;
    detail::promise_base* frame_ = nullptr; // what to resume when ready
    awaiter* awaiter_ = nullptr;
    [[no_unique_address]] detail::recorded<time_point> started_ =
        detail::this_thread.iteration_start;
    std::uint32_t refusals_ = 0; // awaits since it was cancelled
    coracle::cancel_reason reason_ = cancel_reason::none;
    bool refusing_ = false; // the next await ends with cancellation
};

/// Names the job that calls this, as `task_group::start` can do from outside.
inline void name_this_job(job_label name) noexcept {
    if (detail::this_thread.running_job)
        detail::this_thread.running_job->text = name.text();
}

inline void job::run_at_once() noexcept {
    detail::thread_state& thread = detail::this_thread;
    if (thread.start_budget <= 0 || __builtin_frame_address(0) < thread.stack_limit) [[unlikely]] {
        ready_->push(*this);
        return;
    }
    auto* const starter = static_cast<job*>(thread.running_job);
    const int budget = thread.inline_budget;
    const int given = inline_budget();
    thread.inline_budget = given;
    resumption().resume();
    thread.start_budget -= 1 + given - thread.inline_budget;
    thread.running_job = starter;
    thread.inline_budget = starter && starter->refusing_ ? detail::inline_budget_spent : budget;
}

inline void awaiter::begin(detail::promise_base& frame) noexcept {
    waiter_ = frame.owner;
    waiter_->awaiter_ = this;
    waiter_->frame_ = &frame;
    since_ = detail::this_thread.iteration_start;
}

inline void awaiter::wake() noexcept {
    if (!waiter_->ready_->on_own_thread()) [[unlikely]]
        woken_on_wrong_thread();
    waiter_->awaiter_ = nullptr;
    waiter_->ready_->push(*waiter_);
}

inline void awaiter::resume_inline() noexcept {
    waiter_->awaiter_ = nullptr;
    waiter_->frame_ = nullptr;
}

inline void ready_queue::push(job& ready) noexcept {
    ready.next_ready_ = nullptr;
    *last_ = &ready;
    last_ = &ready.next_ready_;
}

inline job* ready_queue::pop() noexcept {
    job* const first = first_;
    if (first) {
        first_ = first->next_ready_;
        if (!first_)
            last_ = &first_;
    }
    return first;
}

} // namespace coracle
