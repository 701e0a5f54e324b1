// SPDX-License-Identifier: MIT
//
// awaitable: what can be awaited, what it gives, and the two general ways to wrap it: `as_task`,
// for those who run it as a job of its own, and `as_result`, for errors without exceptions.
#pragma once

#include "result.hpp"
#include "task.hpp"
#include <concepts>
#include <coroutine>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coracle {

namespace detail {

template <class Awaitable>
[[nodiscard]] decltype(auto) awaiter_of(Awaitable&& awaited) {
    if constexpr (requires { std::forward<Awaitable>(awaited).operator co_await(); })
        return std::forward<Awaitable>(awaited).operator co_await();
    else
        return std::forward<Awaitable>(awaited);
}

template <class Awaitable>
using awaiter_t = std::remove_reference_t<decltype(awaiter_of(std::declval<Awaitable>()))>;

} // namespace detail

/// Can be awaited as an rvalue: a task, an operation, an awaiter of any kind.
template <class Type>
concept awaitable = std::move_constructible<Type> && requires(detail::awaiter_t<Type>& awaiter) {
    { awaiter.await_ready() } -> std::convertible_to<bool>;
    awaiter.await_resume();
};

/// What awaiting `Awaitable` gives.
template <class Awaitable>
using await_result_t = decltype(std::declval<detail::awaiter_t<Awaitable>&>().await_resume());

namespace detail {

template <class Type>
inline constexpr bool is_task = false;

template <class T>
inline constexpr bool is_task<task<T>> = true;

} // namespace detail

/// Gives a task when it is called with `Arguments`: a coroutine, or what returns one.
template <class Function, class... Arguments>
concept task_function = std::invocable<Function, Arguments...> &&
                        detail::is_task<std::invoke_result_t<Function, Arguments...>>;

namespace detail {

/// A reference as an object, for what can hold objects only; any other type unchanged.
template <class T>
using object_of = std::conditional_t<std::is_reference_v<T>,
                                     std::reference_wrapper<std::remove_reference_t<T>>, T>;

template <class T>
[[nodiscard]] task<T> as_task(task<T> already) noexcept {
    return already;
}

template <awaitable Awaitable>
task<await_result_t<Awaitable>> as_task(Awaitable awaited) {
    co_return co_await std::move(awaited);
}

/// An awaiter that gives its result instead of throwing its error.
template <fallible Leaf>
class [[nodiscard]] result_of final {
public:
    explicit result_of(Leaf&& idle) : awaiter_(std::move(idle)) {}

    [[nodiscard]] bool await_ready() const noexcept { return awaiter_.await_ready(); }

    template <std::derived_from<promise_base> Promise>
    auto await_suspend(std::coroutine_handle<Promise> awaiting) {
        return awaiter_.await_suspend(awaiting);
    }

    auto await_resume() { return await_result(); }

    [[nodiscard]] auto await_result() { return awaiter_.await_result(); }

private:
    Leaf awaiter_;
};

} // namespace detail

/// Awaits without throwing: `result<std::size_t> n = co_await as_result(peer.read(buffer));`
///
/// Only std::system_error becomes a result; any other exception of a task passes through. Of a task
/// that gives a reference it is a result of a std::reference_wrapper.
template <fallible Leaf>
[[nodiscard]] detail::result_of<Leaf> as_result(Leaf idle) {
    return detail::result_of<Leaf>(std::move(idle));
}

template <class T>
task<result<detail::object_of<T>>> as_result(task<T> awaited) {
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(awaited);
            co_return result<void>();
        } else if constexpr (std::is_reference_v<T>) {
            co_return std::ref(co_await std::move(awaited));
        } else {
            co_return co_await std::move(awaited);
        }
    } catch (const std::system_error& error) {
        co_return error.code();
    }
}

} // namespace coracle
