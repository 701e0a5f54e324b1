// SPDX-License-Identifier: MIT
//
// awaitable: the two general ways to wrap what can be awaited: `as_task`, for those who run it as a
// job of its own, and `as_result`, for errors without exceptions.
#pragma once

#include "../memory/lifetime.hpp"
#include "await_traits.hpp"
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

template <class T>
[[nodiscard]] task<T> as_task(task<T> already) noexcept {
    return already;
}

template <awaitable Awaitable>
task<await_result_t<Awaitable>> as_task(Awaitable awaited) {
    co_return co_await std::move(awaited);
}

/// Keeps an awaitable together with its awaiter.
template <class Awaitable>
class owned_awaiter {
public:
    explicit owned_awaiter(Awaitable&& awaited)
        : awaitable_(std::move(awaited)), awaiter_(awaiter_of(std::move(awaitable_))) {}

    owned_awaiter(const owned_awaiter&) = delete;
    owned_awaiter& operator=(const owned_awaiter&) = delete;

    [[nodiscard]] awaiter_t<Awaitable>& get() noexcept { return awaiter_; }

private:
    Awaitable awaitable_;
    decltype(awaiter_of(std::declval<Awaitable>())) awaiter_; // a reference, or an object
};

/// What awaits an awaitable and gives its result instead of throwing its error.
template <class Awaitable>
class result_awaiter {
public:
    explicit result_awaiter(Awaitable&& awaited) : awaited_(std::move(awaited)) {}

    [[nodiscard]] bool await_ready() { return awaited_.get().await_ready(); }

    template <std::derived_from<promise_base> Promise>
    auto await_suspend(std::coroutine_handle<Promise> awaiting) {
        return awaited_.get().await_suspend(awaiting);
    }

    auto await_resume() { return awaited_.get().await_result(); }

    [[nodiscard]] auto await_result() { return awaited_.get().await_result(); }

private:
    owned_awaiter<Awaitable> awaited_;
};

/// What as_result returns.
template <class Awaitable>
class [[nodiscard]] result_of {
public:
    explicit result_of(Awaitable&& awaited) : awaited_(std::move(awaited)) {}

    [[nodiscard]] result_awaiter<Awaitable> operator co_await() && {
        return result_awaiter<Awaitable>(std::move(awaited_));
    }

private:
    Awaitable awaited_;
};

} // namespace detail

/// Reports its end as a result<T> too: tasks, operations and everything else of this library.
template <class Type>
concept fallible =
    awaitable<Type> && requires(detail::awaiter_t<Type>& awaiter) { awaiter.await_result(); };

/// Awaits without throwing: `result<std::size_t> n = co_await as_result(peer.read(buffer));`
///
/// Only a std::system_error with a code and cancellation become a result; any other exception
/// passes through. Of an awaitable that gives a reference it is a result of a
/// std::reference_wrapper.
template <awaitable Awaitable>
[[nodiscard]] auto as_result(Awaitable awaited CORACLE_LIFETIMEBOUND) {
    if constexpr (fallible<Awaitable>)
        return detail::result_of<Awaitable>(std::move(awaited));
    else
        return detail::result_of<task<await_result_t<Awaitable>>>(
            detail::as_task(std::move(awaited)));
}

} // namespace coracle
