// SPDX-License-Identifier: MIT
//
// await_traits: what can be awaited, the awaiter of it, and the type of its result.
#pragma once

#include "job.hpp"
#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace coracle {

namespace detail {

/// The awaiter of an awaitable: what its operator co_await gives, member or free, or itself.
template <class Awaitable>
[[nodiscard]] decltype(auto) awaiter_of(Awaitable&& awaited) {
    if constexpr (requires { std::forward<Awaitable>(awaited).operator co_await(); })
        return std::forward<Awaitable>(awaited).operator co_await();
    else if constexpr (requires { operator co_await(std::forward<Awaitable>(awaited)); })
        return operator co_await(std::forward<Awaitable>(awaited));
    else
        return std::forward<Awaitable>(awaited);
}

template <class Awaitable>
using awaiter_t = std::remove_reference_t<decltype(awaiter_of(std::declval<Awaitable>()))>;

template <class Type>
concept is_awaiter = requires(Type& type) {
    { type.await_ready() } -> std::convertible_to<bool>;
    type.await_resume();
};

/// An awaiter of another library: it takes the handle of any coroutine, since it knows no jobs.
template <class Type>
concept foreign = is_awaiter<Type> &&
                  requires(Type& type, std::coroutine_handle<> any) { type.await_suspend(any); };

} // namespace detail

/// Can be awaited as an rvalue: a task, an operation, or an awaitable of another library.
template <class Type>
concept awaitable = std::move_constructible<Type> && detail::is_awaiter<detail::awaiter_t<Type>>;

/// What awaiting `Awaitable` gives.
template <class Awaitable>
using await_result_t = decltype(std::declval<detail::awaiter_t<Awaitable>&>().await_resume());

} // namespace coracle
