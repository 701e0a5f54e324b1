// SPDX-License-Identifier: MIT
//
// task_group: jobs that are started at any time and all end before the scope that holds them.
//
//     co_await with_task_group([&](task_group& sessions) -> task<> {
//         for (;;)
//             sessions.start(echo(co_await listener.accept()));
//     });
#pragma once

#include "scope.hpp"
#include "task.hpp"
#include <concepts>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coracle {

namespace detail {

struct group_runner;

/// A job of a task_group: made by `start`, and gone with its end.
class group_child : public child {
public:
    static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }

    static void operator delete(void* block, std::size_t bytes) noexcept {
        deallocate_frame(block, bytes);
    }

    virtual ~group_child() = default;

protected:
    void retired() noexcept final { delete this; }
};

template <class T>
class task_child final : public group_child {
public:
    explicit task_child(task<T>&& root) noexcept : root_(std::move(root)) {}

    void begin() noexcept { child::begin(root_); }

private:
    task<T> root_;
};

/// Keeps the function and its arguments for as long as the frame that may refer to them.
template <class Function, class... Arguments>
class call_child final : public group_child {
public:
    template <class Callable, class... Values>
    explicit call_child(Callable&& function, Values&&... arguments)
        : function_(std::forward<Callable>(function)),
          arguments_(std::forward<Values>(arguments)...), root_(call()) {}

    void begin() noexcept { child::begin(root_); }

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
class task_group final : public detail::failing_scope {
public:
    /// Starts a job that runs `root` from the next turn on. Its result is dropped; if it throws,
    /// the whole group is cancelled and `with_task_group` throws that exception.
    template <class T>
    void start(task<T> root) {
        launch(new detail::task_child<T>(std::move(root)));
    }

    /// Starts a job that runs the task which `function(arguments...)` gives.
    ///
    /// owns     keeps decayed copies of `function` and `arguments` until the job has ended, so that
    ///          a lambda's captures and a coroutine's reference parameters live as long as it does;
    ///          pass std::ref for what is kept elsewhere
    template <class Function, class... Arguments>
        requires std::invocable<std::decay_t<Function>&, std::decay_t<Arguments>...>
    void start(Function&& function, Arguments&&... arguments) {
        launch(new detail::call_child<std::decay_t<Function>, std::decay_t<Arguments>...>(
            std::forward<Function>(function), std::forward<Arguments>(arguments)...));
    }

    /// Cancels all jobs of the group, the body and those started later too. That is no failure:
    /// `with_task_group` returns once they have ended.
    void cancel() noexcept {
        absorb_cancellation();
        cancel_children();
    }

private:
    friend struct detail::group_runner;

    task_group() noexcept : failing_scope("task_group") {}

    template <class Child>
    void launch(Child* added) noexcept {
        adopt(*added);
        added->begin();
    }
};

namespace detail {

struct group_runner {
    template <class T, class Body>
    static task<T> run(Body body) {
        task_group group;
        result_child<T> main(std::invoke(body, group));
        group.failing_scope::start(main);
        co_await group.join();
        group.rethrow();
        // The body may have been cancelled by its own group: then there is no value to return.
        if constexpr (std::is_void_v<T>) {
            if (main.failure())
                co_return;
        }
        co_return main.take();
    }
};

} // namespace detail

/// Runs `body(group)` and everything started in the group, and returns what the body returns once
/// all have ended.
///
/// The first exception, of the body or of a job, cancels all others and is thrown when they have
/// ended; a further one becomes a notice. Cancelling the awaiting job cancels them too.
///
/// owns     keeps `body` until the end, so that its captures are alive throughout
template <class Body>
    requires std::invocable<Body&, task_group&>
[[nodiscard]] auto with_task_group(Body body) {
    using value = typename std::invoke_result_t<Body&, task_group&>::value_type;
    return detail::group_runner::run<value>(std::move(body));
}

} // namespace coracle
