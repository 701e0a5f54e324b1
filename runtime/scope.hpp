// SPDX-License-Identifier: MIT
//
// scope: the awaiter on which a job waits for jobs below it. task_group, when_all, when_any,
// with_deadline and shielded are scopes that differ in what they make of a child's end.
//
// A child cannot outlive its scope: the scope is joined before it goes, and a scope that is
// destroyed with children stops the program. Cancelling the waiting job cancels the children.
#pragma once

#include "diagnostics/failed_job.hpp"
#include "job.hpp"
#include "loop.hpp"
#include "task.hpp"
#include <exception>

namespace coracle::detail {

class failing_scope;
class scope;

/// A job below a scope. Whoever derives from it holds the task that is its root.
class child : public job {
public:
    std::coroutine_handle<> finished() noexcept final;

    [[nodiscard]] const job* parent() const noexcept final;

    /// The exception with which the root has ended, or null.
    [[nodiscard]] const std::exception_ptr& failure() const noexcept { return root_->failure; }

    /// The job's name, and where its root awaited last.
    [[nodiscard]] failure_site site() const noexcept { return {name(), root_->where.get()}; }

    /// Its failure becomes a warning, and does not fail the scope.
    void report_failure() noexcept { failure_reported_ = true; }

protected:
    child() : job(loop::current().ready()) {}

    /// The last call to this child. It may destroy itself.
    virtual void retired() noexcept {}

    ~child() = default;

    template <class T>
    void set_root(task<T>& root) noexcept {
        root.begin(*this);
        root_ = &root.promise();
    }

private:
    friend class scope;
    friend class failing_scope;

    scope* scope_ = nullptr;
    child* next_ = nullptr;
    child* previous_ = nullptr;
    const task_promise_base* root_ = nullptr;
    bool failure_reported_ = false;
};

/// A child that keeps its result until it is fetched.
template <class T>
class result_child final : public child {
public:
    explicit result_child(task<T>&& root) noexcept : root_(std::move(root)) { set_root(root_); }

    T take() { return root_.take(); }

private:
    task<T> root_;
};

class scope : public awaiter {
public:
    /// Suspends until no child is left. Throws nothing: see `rethrow` of the derived class.
    class join_operation {
    public:
        join_operation(scope& joined, child* first) noexcept : scope_(&joined), first_(first) {}

        [[nodiscard]] bool await_ready() const noexcept { return !scope_->first_; }

        template <std::derived_from<promise_base> Promise>
        [[nodiscard]] std::coroutine_handle<>
        await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
            if (first_)
                return scope_->run_children(awaiting.promise(), *first_);
            scope_->begin_join(awaiting.promise());
            return std::noop_coroutine();
        }

        void await_resume() const noexcept { scope_->end(); }

    private:
        scope* scope_;
        child* first_; // the first of those that are to be begun
    };

    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

    [[nodiscard]] join_operation join() noexcept { return join_operation(*this, nullptr); }

    /// The same, and begins the children first: see `run_children`.
    [[nodiscard]] join_operation run(child& first) noexcept {
        return join_operation(*this, &first);
    }

    /// Adds a child, which is to be begun. It is cancelled from the start if the others are.
    void adopt(child& added) noexcept {
        if (!ready_->on_own_thread()) [[unlikely]]
            used_on_wrong_thread("task_group::start");
        added.scope_ = this;
        added.next_ = first_;
        if (first_)
            first_->previous_ = &added;
        first_ = &added;
        if (children_cancelled()) [[unlikely]]
            added.cancel(reason_);
    }

    /// Begins to wait for the children of `frame`, and begins those that have been adopted, from
    /// `first` on in the order of their adoption: the last one in place of the frame. Returns what
    /// to resume.
    [[nodiscard]] std::coroutine_handle<> run_children(promise_base& frame, child& first) noexcept;

    [[nodiscard]] bool empty() const noexcept { return !first_; }

    /// The waiting frame has been resumed.
    void end_join() noexcept { end(); }

    /// The waiting job has been cancelled, and so are the children.
    void interrupt() noexcept override { cancel_children(waiter()->cancel_reason()); }

    void describe(awaiter_notes& notes) const override;

protected:
    explicit scope(const char* kind) noexcept : awaiter(kind) {}

    ~scope() {
        if (first_) [[unlikely]]
            destroyed_with_children();
    }

    /// Cancels all children, those of the future too.
    void cancel_children(cancel_reason why) noexcept;

    [[nodiscard]] bool children_cancelled() const noexcept {
        return reason_ != cancel_reason::none;
    }

    /// A child has ended, and is no longer among the children.
    virtual void ended(child& gone) noexcept = 0;

private:
    friend class child;

    [[noreturn]] void destroyed_with_children() const noexcept;

    /// Begins to wait for the end of the children; there is one at least. A job that is cancelled
    /// waits all the same: children are not left behind.
    void begin_join(promise_base& frame) noexcept {
        begin(frame);
        if (frame.owner->cancelled())
            interrupt();
    }

    [[nodiscard]] std::coroutine_handle<> retire(child& gone) noexcept;

    child* first_ = nullptr; // the one adopted last; `next_` is the one adopted before it
    const ready_queue* ready_ = &loop::current().ready(); // of the loop that it belongs to
    cancel_reason reason_ = cancel_reason::none;          // why the children were cancelled
};

/// A scope that fails with its first failing child, which cancels the others.
class failing_scope : public scope {
public:
    explicit failing_scope(const char* kind) noexcept : scope(kind) {}

    /// Once joined: throws the exception of the first child that failed, if one did; else
    /// `cancelled`, if a child ended because the waiting job was cancelled.
    void rethrow() const;

protected:
    /// Keeps the first failure and cancels the others; a later one becomes a warning. To end with
    /// cancellation after being cancelled is no failure.
    void ended(child& gone) noexcept final;

    /// From now on `rethrow` does not throw `cancelled`: the group was cancelled on purpose.
    void absorb_cancellation() noexcept { absorbing_ = true; }

private:
    std::exception_ptr first_failure_;
    failure_site first_site_;
    lost_failures lost_{"a second failure, after the one that is thrown"};
    bool cancellation_seen_ = false; // some child ended because it was cancelled
    bool absorbing_ = false;         // and that is no failure
};

} // namespace coracle::detail
