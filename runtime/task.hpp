// SPDX-License-Identifier: MIT
//
// task: a coroutine that runs when it is awaited, and whose frame belongs to the task object.
//
// Awaiting a task runs it within the awaiting job, like a function call; its result or exception
// comes back the same way. A task that is destroyed unstarted frees its frame, and a warning names
// it. A task that is suspended cannot be destroyed: the awaiter that it waits on stops the program
// with a message, since the kernel or a timer could still reach into the frame.
#pragma once

#include "../memory/fatal.hpp"
#include "await_traits.hpp"
#include "foreign.hpp"
#include "job.hpp"
#include "result.hpp"
#include <concepts>
#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace coracle {

template <class T>
class task;

namespace detail {

/// At the end of a frame: resumes the awaiting frame, or tells the job that its root has ended.
class final_awaiter {
public:
    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <class Promise>
    [[nodiscard]] static std::coroutine_handle<>
    await_suspend(std::coroutine_handle<Promise> ended) noexcept {
        promise_base& promise = ended.promise();
        job& owner = *promise.owner;
        return promise.continuation ? owner.resume_or_yield(*promise.continuation)
                                    : owner.finished();
    }

    static constexpr void await_resume() noexcept {}
};

/// What the promises of all tasks have in common.
class task_promise_base : public promise_base {
public:
    using promise_base::promise_base;

    [[nodiscard]] static std::suspend_always initial_suspend() noexcept { return {}; }

    [[nodiscard]] static final_awaiter final_suspend() noexcept { return {}; }

    void unhandled_exception() noexcept { failure = std::current_exception(); }

    /// Records where this frame awaits. The awaitable itself is unchanged.
    template <class Awaitable>
        requires(!foreign<awaiter_t<Awaitable>>)
    [[nodiscard]] std::remove_reference_t<Awaitable>&&
    await_transform(Awaitable&& awaited,
                    std::source_location at = std::source_location::current()) noexcept {
        static_assert(!std::is_lvalue_reference_v<Awaitable>,
                      "a task or operation is awaited once: write co_await std::move(x), or await "
                      "what the call returns: co_await stream.read(buffer)");
        where = at;
        return static_cast<std::remove_reference_t<Awaitable>&&>(awaited);
    }

    /// An awaitable of another library is awaited through an adapter.
    template <class Awaitable>
        requires foreign<awaiter_t<Awaitable>>
    [[nodiscard]] auto await_transform(Awaitable&& awaited,
                                       std::source_location at = std::source_location::current()) {
        where = at;
        return adapted_awaiter<decltype(awaiter_of(std::forward<Awaitable>(awaited)))>(
            std::forward<Awaitable>(awaited));
    }

    std::exception_ptr failure;
};

/// Warns of a task that is destroyed and was never awaited, unless an exception or a cancellation
/// has prevented that.
void warn_of_unawaited(const promise_base& root) noexcept;

/// The slow path of `enter`: the budget is spent, or the job is cancelled.
[[nodiscard]] std::coroutine_handle<> enter_slowly(task_promise_base& child) noexcept;

/// Begins the await of `child`. Returns the frame to resume next.
[[nodiscard]] inline std::coroutine_handle<> enter(task_promise_base& child) noexcept {
    if (--this_thread.inline_budget > 0) [[likely]]
        return handle_of(child);
    return enter_slowly(child);
}

template <class T>
class task_promise final : public task_promise_base {
public:
    /// The location is that of the coroutine.
    explicit task_promise(std::source_location at = std::source_location::current()) noexcept
        : task_promise_base(at) {}

    [[nodiscard]] task<T> get_return_object() noexcept;

    template <class U = T>
        requires std::convertible_to<U, T>
    void return_value(U&& value) {
        outcome_.set(std::forward<U>(value));
    }

    [[nodiscard]] T take() {
        if (failure)
            std::rethrow_exception(std::exchange(failure, nullptr));
        return outcome_.take();
    }

private:
    stored<T> outcome_;
};

template <>
class task_promise<void> final : public task_promise_base {
public:
    explicit task_promise(std::source_location at = std::source_location::current()) noexcept
        : task_promise_base(at) {}

    [[nodiscard]] task<void> get_return_object() noexcept;

    void return_void() const noexcept {}

    void take() {
        if (failure)
            std::rethrow_exception(std::exchange(failure, nullptr));
    }
};

/// Owns a task's frame while it is awaited.
template <class T>
class task_awaiter {
public:
    using handle = std::coroutine_handle<task_promise<T>>;

    explicit task_awaiter(handle awaited) noexcept : awaited_(awaited) {}

    ~task_awaiter() { awaited_.destroy(); }

    task_awaiter(const task_awaiter&) = delete;
    task_awaiter& operator=(const task_awaiter&) = delete;

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    [[nodiscard]] std::coroutine_handle<>
    await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        promise_base& parent = awaiting.promise();
        task_promise<T>& child = awaited_.promise();
        child.continuation = &parent;
        child.owner = parent.owner;
        return enter(child);
    }

    T await_resume() { return awaited_.promise().take(); }

    [[nodiscard]] result<object_of<T>> await_result() {
        task_promise<T>& child = awaited_.promise();
        if (child.failure && child.failure == cancelled_exception()) // it was not entered
            return cancelled_code();
        return result_from([&child]() -> T { return child.take(); });
    }

private:
    handle awaited_;
};

} // namespace detail

template <class T = void>
class [[nodiscard("a task does nothing until it is awaited")]] task {
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;

    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}

    task& operator=(task&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }

    ~task() {
        if (!frame_)
            return;
        if (!frame_.promise().owner) [[unlikely]]
            detail::warn_of_unawaited(frame_.promise());
        frame_.destroy();
    }

    /// Runs the task as part of the awaiting job. Once only: hence of an rvalue.
    [[nodiscard]] detail::task_awaiter<T> operator co_await() && noexcept {
        require_frame();
        return detail::task_awaiter<T>(std::exchange(frame_, nullptr));
    }

    // The rest is for those who run a task as the root of a job of its own.

    /// Makes this task the root of `owner`, which is to be begun; the frame stays this object's.
    void begin(job& owner) noexcept {
        require_frame();
        owner.begin_with(frame_.promise());
    }

    /// The same, and makes `owner` ready.
    void start(job& owner) noexcept {
        begin(owner);
        owner.schedule(frame_.promise());
    }

    /// The exception with which a task that is done has ended, or null.
    [[nodiscard]] const std::exception_ptr& failure() const noexcept {
        return frame_.promise().failure;
    }

    [[nodiscard]] const detail::task_promise_base& promise() const noexcept {
        return frame_.promise();
    }

    /// The result of a task that is done, or its exception.
    T take() { return frame_.promise().take(); }

private:
    friend promise_type;

    using handle = std::coroutine_handle<promise_type>;

    explicit task(handle frame) noexcept : frame_(frame) {}

    void require_frame() const noexcept {
        if (!frame_) [[unlikely]]
            detail::fatal("a task was awaited or started twice, or after it was moved from");
    }

    handle frame_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
    static_assert(alignof(task_promise) == alignof(promise_base),
                  "a task's result may be aligned to 16 bytes at most: return it behind a pointer");
    return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}

inline task<void> task_promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

} // namespace detail

} // namespace coracle
