// SPDX-License-Identifier: MIT
//
// task_group: jobs that are started at any time and all end before the scope that holds them.
//
//     co_await with_task_group(on_failure::report, [&](task_group& sessions) -> task<> {
//         for (;;)
//             sessions.start(echo(co_await listener.accept()));
//     });
#pragma once

#include "awaitable.hpp"
#include "job.hpp"
#include "result.hpp"
#include "scope.hpp"
#include "task.hpp"
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coracle {

class task_group;

/// What the failure of a job does to its group.
enum class on_failure : std::uint8_t {
    cancel, // it cancels the others, and with_task_group throws it: jobs that need each other
    report, // it becomes a warning that names the job, and the others go on: a server's sessions
};

namespace detail {

struct group_runner;

/// A job of a task_group: made by `start`, and gone with its end.
class group_child : public child {
public:
    explicit group_child(task_group& in) noexcept : group_(&in) {}

    static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }

    static void operator delete(void* block, std::size_t bytes) noexcept {
        deallocate_frame(block, bytes);
    }

    virtual ~group_child() = default;

protected:
    void retired() noexcept final;

private:
    task_group* group_;
};

template <class T>
class task_child final : public group_child {
public:
    task_child(task_group& in, task<T>&& root) noexcept : group_child(in), root_(std::move(root)) {
        set_root(root_);
    }

private:
    task<T> root_;
};

/// Keeps the function and its arguments for as long as the frame that may refer to them.
template <class Function, class... Arguments>
class call_child final : public group_child {
public:
    template <class Callable, class... Values>
    explicit call_child(task_group& in, Callable&& function, Values&&... arguments)
        : group_child(in), function_(std::forward<Callable>(function)),
          arguments_(std::forward<Values>(arguments)...), root_(call()) {
        set_root(root_);
    }

private:
    auto call() {
        return std::apply(
            [this](Arguments&... each) { return std::invoke(function_, std::move(each)...); },
            arguments_);
    }

    Function function_;
    std::tuple<Arguments...> arguments_;
    std::invoke_result_t<Function&, Arguments...> root_; // last: it refers to the two above
};

} // namespace detail

/// Where jobs are started. `with_task_group` makes one and waits for its end.
///
/// What a job refers to must outlive the group: declare it outside of the body, or give it to
/// `start`. What is local to the body outlives the jobs only if the body goes on to
/// `wait_for_others` with nothing in between that could throw, such as another await.
class task_group final : detail::failing_scope {
public:
    class wait_operation;

    /// Starts a job that runs `root`, a task or anything else that can be awaited. It runs at once,
    /// and `start` returns when it waits for the first time or has ended. (Where an iteration of
    /// the loop, or the machine stack, has seen too much of that, it is made ready instead.) Its
    /// result is dropped; what its failure does is the group's policy, `on_failure`. In a
    /// cancelled group the job is cancelled from the start, and so is the next await of the caller:
    /// a loop that goes on starting jobs comes to an end.
    ///
    /// owns     the task, but not what it refers to: of a lambda that captures give the lambda
    ///          itself, `start(lambda)`, and not the task that calling it makes
    template <awaitable Root>
    void start(Root root) {
        launch(
            new detail::task_child<await_result_t<Root>>(*this, detail::as_task(std::move(root))));
    }

    /// The same with a name, `start("session", serve(std::move(peer)))`, by which inspect() and
    /// warnings call the job. Without one it is called after its function.
    template <awaitable Root>
    void start(job_label name, Root root) {
        launch(
            new detail::task_child<await_result_t<Root>>(*this, detail::as_task(std::move(root))),
            name);
    }

    /// Starts a job that runs the task which `function(arguments...)` gives.
    ///
    /// owns     keeps decayed copies of `function` and `arguments` until the job has ended, so that
    ///          a lambda's captures and a coroutine's reference parameters live as long as it does;
    ///          pass std::ref for what is kept elsewhere
    template <class Function, class... Arguments>
        requires task_function<std::decay_t<Function>&, std::decay_t<Arguments>...>
    void start(Function&& function, Arguments&&... arguments) {
        launch(new detail::call_child<std::decay_t<Function>, std::decay_t<Arguments>...>(
            *this, std::forward<Function>(function), std::forward<Arguments>(arguments)...));
    }

    /// The same with a name.
    template <class Function, class... Arguments>
        requires task_function<std::decay_t<Function>&, std::decay_t<Arguments>...>
    void start(job_label name, Function&& function, Arguments&&... arguments) {
        launch(new detail::call_child<std::decay_t<Function>, std::decay_t<Arguments>...>(
                   *this, std::forward<Function>(function), std::forward<Arguments>(arguments)...),
               name);
    }

    /// For the body: suspends until all jobs that were started have ended.
    ///
    /// They have ended when this returns, and when it throws. If the wait is cancelled, by a
    /// failure or by a with_timeout around it, the group is cancelled, and the wait goes on until
    /// all jobs have ended.
    ///
    /// errors   operation_canceled; resource_deadlock_would_occur in a job that was started, since
    ///          it would wait for itself
    [[nodiscard]] wait_operation wait_for_others() noexcept;

    /// Cancels all jobs of the group, the body and those started later too. That is no failure:
    /// `with_task_group` returns once they have ended, with the body's value if it has one. A body
    /// that was cancelled before it returned its value has none: then it throws
    /// std::system_error with operation_canceled.
    void cancel(cancel_reason why = cancel_reason::requested) noexcept {
        absorb_cancellation();
        cancel_children(why);
    }

private:
    friend struct detail::group_runner;
    friend class detail::group_child;

    explicit task_group(on_failure policy) noexcept
        : failing_scope("task_group"), policy_(policy) {}

    template <class Child>
    void launch(Child* added, job_label name) noexcept {
        added->set_name(name);
        launch(added);
    }

    template <class Child>
    void launch(Child* added) noexcept {
        ++others_;
        if (policy_ == on_failure::report)
            added->report_failure();
        adopt(*added);
        if (children_cancelled()) [[unlikely]]
            refuse_starter();
        added->run_at_once(); // and then this group may be gone
    }

    /// The next await of the job that starts another one in a cancelled group is refused.
    static void refuse_starter() noexcept {
        if (job* const starter = job::current())
            starter->refuse_next();
    }

    void one_has_ended() noexcept;

    /// Whether `asking` is the body or a job below it. If not, it was started in the group.
    [[nodiscard]] bool is_part_of_body(const job* asking) const noexcept {
        while (asking && asking != body_)
            asking = asking->parent();
        return asking != nullptr;
    }

    const job* body_ = nullptr;
    std::size_t others_ = 0;            // jobs beside the body
    wait_operation* waiting_ = nullptr; // those who wait for the others
    on_failure policy_;
};

/// The awaitable of task_group::wait_for_others.
class [[nodiscard]] task_group::wait_operation final : public awaiter {
public:
    explicit wait_operation(task_group& awaited) noexcept
        : awaiter("wait_for_others"), group_(&awaited) {}

    wait_operation(wait_operation&& idle) noexcept : awaiter(idle), group_(idle.group_) {}

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        detail::promise_base& frame = awaiting.promise();
        if (!group_->is_part_of_body(frame.owner)) {
            failure_ = std::make_error_code(std::errc::resource_deadlock_would_occur);
            return frame.owner->should_yield(frame);
        }
        const bool cancelled = frame.owner->refuses(frame);
        if (group_->others_ == 0) {
            failure_ = cancelled ? detail::cancelled_code() : std::error_code();
            return frame.owner->should_yield(frame);
        }
        next_ = std::exchange(group_->waiting_, this);
        begin(frame);
        if (cancelled)
            interrupt();
        return true;
    }

    void await_resume() { await_result().value(); }

    [[nodiscard]] result<void> await_result() noexcept {
        end();
        return failure_;
    }

    void interrupt() noexcept override {
        failure_ = detail::cancelled_code();
        if (group_->children_cancelled())
            return;
        const cancel_reason why = waiter()->cancel_reason();
        group_->cancel(why == cancel_reason::none ? cancel_reason::deadline : why);
    }

private:
    friend class task_group;

    task_group* group_;
    wait_operation* next_ = nullptr;
    detail::failure failure_;
};

inline task_group::wait_operation task_group::wait_for_others() noexcept {
    return wait_operation(*this);
}

inline void task_group::one_has_ended() noexcept {
    if (--others_ > 0)
        return;
    while (waiting_)
        std::exchange(waiting_, waiting_->next_)->wake();
}

namespace detail {

inline void group_child::retired() noexcept {
    group_->one_has_ended();
    delete this;
}

struct group_runner {
    template <class T, class Body>
    static task<T> run(on_failure policy, Body body) {
        task_group group(policy);
        result_child<T> main(task_of<T>(body, group));
        group.body_ = &main;
        group.adopt(main);
        co_await group.run(main);
        // More than once, if somebody outside starts a job after the last one has ended and before
        // this frame is resumed.
        while (!group.empty())
            co_await group.join();
        group.rethrow();
        // The body may have been cancelled by its own group. Then there is no value to return.
        if (main.failure()) {
            if constexpr (std::is_void_v<T>)
                co_return;
            else
                throw std::system_error(std::make_error_code(std::errc::operation_canceled),
                                        "the group was cancelled before its body had a value");
        }
        co_return main.take();
    }

    /// What the body throws before it has made its task is the failure of a job too.
    template <class T, class Body>
    static task<T> task_of(Body& body, task_group& group) {
        std::exception_ptr failure;
        try {
            return std::invoke(body, group);
        } catch (...) {
            failure = std::current_exception();
        }
        return failed<T>(std::move(failure));
    }

    template <class T>
    static task<T> failed(std::exception_ptr failure) {
        co_return rethrow<T>(failure);
    }

    template <class T>
    [[noreturn]] static T rethrow(const std::exception_ptr& failure) {
        std::rethrow_exception(failure);
    }
};

} // namespace detail

/// Runs `body(group)` and everything started in the group, and returns what the body returns once
/// all have ended.
///
/// With on_failure::cancel the first exception, of the body or of a job, cancels all others and is
/// thrown when they have ended; a second one becomes a warning, and one more warning counts those
/// after it. With on_failure::report that holds for the body only, and the failure of a job becomes
/// a warning. Cancelling the awaiting job cancels all too.
///
/// errors   operation_canceled after group.cancel(), if the body owes a value and has none
/// owns     keeps `body` until the end, so that its captures are alive throughout; what is local to
///          it goes with its own end, before the jobs do
template <class Body>
    requires task_function<Body&, task_group&>
[[nodiscard]] auto with_task_group(on_failure policy, Body body) {
    using value = typename std::invoke_result_t<Body&, task_group&>::value_type;
    return detail::group_runner::run<value>(policy, std::move(body));
}

/// The same with on_failure::cancel.
template <class Body>
    requires task_function<Body&, task_group&>
[[nodiscard]] auto with_task_group(Body body) {
    return with_task_group(on_failure::cancel, std::move(body));
}

} // namespace coracle
