// SPDX-License-Identifier: MIT
//
// bridge: awaits a task or an operation in a coroutine of another library. docs/adapting.md shows
// how.
#pragma once

#include "../memory/fatal.hpp"
#include "awaitable.hpp"
#include "loop.hpp"
#include <coroutine>
#include <utility>

namespace coracle {

/// Awaits a task or an operation in a coroutine of any type, on the thread of a running loop:
///
///     const std::size_t count = co_await bridge(stream.read(buffer));
///
/// It runs as a job of its own, below no other, and the loop resumes the coroutine when it has
/// ended. To be able to cancel it, give it a name: `bridge read(stream.read(buffer));`, `co_await
/// read;`, and elsewhere `read.cancel();`.
///
/// errors   as of what is awaited; operation_canceled after `cancel`
/// owns     what is awaited. Destroyed before it has ended, it stops the program with a message
/// cost     one frame from the pool, none for a task
template <awaitable Awaitable>
class [[nodiscard("it does nothing until it is awaited")]] bridge final : job {
public:
    explicit bridge(Awaitable awaited)
        : job(loop::current().ready()), root_(detail::as_task(std::move(awaited))) {}

    /// While it waits, its awaiter stops the program and says for what; this is for the rest.
    ~bridge() {
        if (awaiting_ && !pending()) [[unlikely]]
            detail::fatal("a bridge was destroyed before what it awaits has ended: cancel it and "
                          "await its end instead");
    }

    using job::cancel;
    using job::cancelled;

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    void await_suspend(std::coroutine_handle<> awaiting) noexcept {
        awaiting_ = awaiting;
        root_.start(*this);
    }

    await_result_t<Awaitable> await_resume() { return root_.take(); }

private:
    std::coroutine_handle<> finished() noexcept override {
        detail::this_thread.running_job = nullptr; // the coroutine is not part of a job
        return std::exchange(awaiting_, nullptr);
    }

    task<await_result_t<Awaitable>> root_;
    std::coroutine_handle<> awaiting_; // until it is resumed
};

} // namespace coracle
