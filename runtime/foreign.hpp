// SPDX-License-Identifier: MIT
//
// foreign: awaits an awaitable of another library in a task. docs/adapting.md shows how.
//
// The other library gets the handle of a small coroutine in place of the task's frame. Resuming it,
// on any thread, makes the job ready: only the loop resumes frames.
#pragma once

#include "await_traits.hpp"
#include "job.hpp"
#include "result.hpp"
#include "threads/loop_handle.hpp"
#include <concepts>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

namespace coracle {

class loop;

namespace detail {

/// What a job waits for while it awaits another library's awaitable.
class foreign_wait : public awaiter {
public:
    /// Without a hook nothing can cancel the wait.
    void interrupt() noexcept override {}

protected:
    foreign_wait() noexcept : awaiter("foreign awaitable") {}

    ~foreign_wait() {
        if (resumer_)
            resumer_.destroy();
    }

    /// Begins the wait, and returns what is to be resumed in place of `frame`.
    [[nodiscard]] std::coroutine_handle<> begin_foreign(promise_base& frame);

private:
    struct resumer;

    static resumer make_resumer(foreign_wait& resumed);

    /// The other library has resumed the job, on whatever thread.
    void resumed() noexcept;

    std::coroutine_handle<> resumer_;
    loop* loop_ = nullptr;
    std::optional<loop_handle> handle_; // tells the loop that another thread may end the wait
};

struct no_hook {
    void operator()() const noexcept {}
};

/// `Inner` is the awaiter of the other library, or a reference to it.
template <class Inner, class Cancel = no_hook>
class adapted_awaiter final : public foreign_wait {
public:
    template <class Awaitable>
        requires(!std::same_as<std::remove_cvref_t<Awaitable>, adapted_awaiter>)
    explicit adapted_awaiter(Awaitable&& awaited, Cancel cancel = {})
        : inner_(awaiter_of(std::forward<Awaitable>(awaited))), cancel_(std::move(cancel)) {}

    adapted_awaiter(const adapted_awaiter&) = delete;
    adapted_awaiter& operator=(const adapted_awaiter&) = delete;

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<promise_base> Promise>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) {
        promise_base& frame = awaiting.promise();
        refused_ = frame.owner->refuses(frame);
        if (refused_ || inner_.await_ready())
            return frame.owner->resume_or_yield(frame);
        const std::coroutine_handle<> in_place = begin_foreign(frame);
        try {
            return suspend_inner(in_place, awaiting);
        } catch (...) {
            resume_inline();
            end();
            throw;
        }
    }

    decltype(auto) await_resume() {
        end();
        if (refused_)
            throw cancelled();
        return inner_.await_resume();
    }

    [[nodiscard]] auto await_result() {
        return result_from([this]() -> decltype(auto) { return await_resume(); });
    }

    void interrupt() noexcept override {
        if (!std::exchange(interrupted_, true))
            cancel_();
    }

private:
    [[nodiscard]] std::coroutine_handle<> suspend_inner(std::coroutine_handle<> in_place,
                                                        std::coroutine_handle<> awaiting) {
        using answer = decltype(inner_.await_suspend(in_place));
        if constexpr (std::is_void_v<answer>) {
            inner_.await_suspend(in_place);
            return std::noop_coroutine();
        } else if constexpr (std::is_same_v<answer, bool>) {
            if (inner_.await_suspend(in_place))
                return std::noop_coroutine();
            resume_inline();
            return awaiting;
        } else {
            return inner_.await_suspend(in_place);
        }
    }

    Inner inner_;
    [[no_unique_address]] Cancel cancel_;
    bool refused_ = false;
    bool interrupted_ = false; // by a time-out or by cancelling, which may both come
};

/// What `adapt` returns.
template <class Awaitable, class Cancel>
class [[nodiscard("it does nothing until it is awaited")]] adapted {
public:
    adapted(Awaitable&& awaited, Cancel cancel)
        : awaited_(std::move(awaited)), cancel_(std::move(cancel)) {}

    [[nodiscard]] auto operator co_await() && {
        using inner = decltype(awaiter_of(std::move(awaited_)));
        return adapted_awaiter<inner, Cancel>(std::move(awaited_), std::move(cancel_));
    }

private:
    Awaitable awaited_;
    [[no_unique_address]] Cancel cancel_;
};

} // namespace detail

/// Awaits an awaitable of another library, and can be cancelled:
///
///     co_await adapt(timer.async_wait(), [&] { timer.cancel(); });
///
/// `cancel` is called once, on the loop's thread, when the job is cancelled or its time is over. It
/// asks the other library for an early end; the await goes on until that library resumes. It may
/// come too late, when another thread has just resumed.
///
/// errors   what the other library throws; operation_canceled if the job was cancelled before
/// cost     one frame from the pool; on another thread, resuming allocates
template <awaitable Awaitable, std::invocable Cancel>
    requires detail::foreign<detail::awaiter_t<Awaitable>>
[[nodiscard]] auto adapt(Awaitable awaited, Cancel cancel) {
    return detail::adapted<Awaitable, Cancel>(std::move(awaited), std::move(cancel));
}

} // namespace coracle
