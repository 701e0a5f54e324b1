// SPDX-License-Identifier: MIT
//
// scope_awaiter: what the awaiters of when_all, when_any, with_deadline and shielded do alike: they
// start their children and wait for their end. Scope and children live in the awaiter, and so in
// the awaiting frame.
#pragma once

#include "awaitable.hpp"
#include "scope.hpp"
#include <concepts>
#include <coroutine>
#include <tuple>
#include <utility>

namespace coracle::detail {

/// `Awaiter` has `scope()`, `adopt_children()` that adds the children to it and returns the first
/// one (null if there is none), and `finish()` that gives what came of them or throws.
template <class Awaiter>
class scope_awaiter {
    friend Awaiter;
    scope_awaiter() = default;
    scope_awaiter(const scope_awaiter&) = delete;

public:
    scope_awaiter& operator=(const scope_awaiter&) = delete;

    /// A cancelled job does not begin this wait.
    static constexpr bool can_be_refused = true;

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) {
        promise_base& frame = awaiting.promise();
        if (Awaiter::can_be_refused && frame.owner->refuses(frame)) {
            refused_ = true;
            return frame.owner->resume_or_yield(frame);
        }
        child* const first = self().adopt_children();
        if (!first)
            return frame.owner->resume_or_yield(frame);
        return self().scope().run_children(frame, *first);
    }

    decltype(auto) await_resume() {
        if (refused_)
            throw cancelled();
        self().scope().end_join();
        return self().finish();
    }

    [[nodiscard]] auto await_result() {
        using value = object_of<decltype(self().finish())>;
        if (refused_)
            return result<value>(cancelled_code());
        return result_from([this]() -> decltype(auto) { return await_resume(); });
    }

private:
    [[nodiscard]] Awaiter& self() noexcept { return static_cast<Awaiter&>(*this); }

    bool refused_ = false;
};

/// What is awaited by making an `Awaiter` of it: it can be moved until then.
template <class Awaiter, class... Parts>
class [[nodiscard("it does nothing until it is awaited")]] awaitable_parts {
public:
    explicit awaitable_parts(Parts... parts) : parts_(std::move(parts)...) {}

    [[nodiscard]] Awaiter operator co_await() && {
        return std::apply([](Parts&... each) { return Awaiter(std::move(each)...); }, parts_);
    }

    /// So that a function which returns a task can return this.
    template <class T>
        requires std::same_as<T, decltype(std::declval<Awaiter&>().await_resume())>
    operator task<T>() && {
        return as_task(std::move(*this));
    }

private:
    std::tuple<Parts...> parts_;
};

} // namespace coracle::detail
