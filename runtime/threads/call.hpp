// SPDX-License-Identifier: MIT
//
// call_operation: awaiting a function that runs on another loop's thread.
//
// Caller and callee share a state. Two threads decide by one atomic who has it: the callee, once it
// has taken the function up, or the caller, who gives up what is still queued. The answer comes
// back as work for the caller's loop, so that the awaiter is touched on its own thread only.
#pragma once

#include "../awaitable.hpp"
#include "../job.hpp"
#include "../loop.hpp"
#include "../result.hpp"
#include "loop_handle.hpp"
#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coracle {

namespace detail {

/// What both sides of a call share.
class remote_call {
public:
    virtual ~remote_call() = default;
    remote_call(const remote_call&) = delete;
    remote_call& operator=(const remote_call&) = delete;

    /// Queues the call. Its answer comes later, also if the other loop has ended.
    static void start(const std::shared_ptr<remote_call>& call, const loop_handle& to,
                      const creation_site& where);

    /// The caller gives up. False if the other loop has taken the call up: its answer comes.
    [[nodiscard]] bool withdraw() noexcept;

    /// Whether the other loop ended without having run the function.
    [[nodiscard]] bool dropped() const noexcept { return dropped_; }

protected:
    explicit remote_call(loop_handle home) noexcept : home_(std::move(home)) {}

    /// On the other loop's thread: calls the function and keeps what comes of it.
    virtual void invoke() noexcept = 0;

    /// The function is not needed any more.
    virtual void discard() noexcept = 0;

    /// On the caller's thread: the answer is there.
    virtual void answered() noexcept = 0;

private:
    class request;
    class reply;

    enum class stage : std::uint8_t { queued, taken, withdrawn };

    /// The other loop is at it. False if the caller has given up.
    [[nodiscard]] bool take() noexcept;

    void send_reply() noexcept;

    loop_handle home_;
    std::unique_ptr<remote_queue::work_item> reply_; // allocated first, so that no answer can fail
    std::atomic<stage> stage_ = stage::queued;
    bool dropped_ = false;
};

} // namespace detail

/// The awaitable of loop_handle::call.
template <class Function>
class [[nodiscard]] call_operation final : public awaiter {
public:
    using value_type = std::invoke_result_t<Function&>;

    call_operation(loop_handle to, Function function, const creation_site& where)
        : awaiter("call"), to_(std::move(to)), function_(std::move(function)), where_(where) {}

    call_operation(call_operation&& idle) noexcept(std::is_nothrow_move_constructible_v<Function>)
        : awaiter(idle), to_(std::move(idle.to_)), function_(std::move(idle.function_)),
          where_(idle.where_) {}

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        detail::promise_base& frame = awaiting.promise();
        cancelled_ = frame.owner->refuses(frame);
        if (cancelled_)
            return frame.owner->should_yield(frame);
        call_ = std::make_shared<state>(*this);
        detail::remote_call::start(call_, to_, where_);
        begin(frame);
        return true;
    }

    value_type await_resume() {
        end();
        if (cancelled_)
            detail::throw_error(detail::cancelled_code());
        if (call_->dropped())
            throw std::system_error(std::make_error_code(std::errc::no_such_process),
                                    "the other loop has ended");
        return call_->take_value();
    }

    void interrupt() noexcept override {
        if (!call_->withdraw())
            return;
        cancelled_ = true;
        wake();
    }

private:
    class state final : public detail::remote_call {
    public:
        explicit state(call_operation& caller)
            : remote_call(loop::current().handle()), caller_(&caller),
              function_(std::move(caller.function_)) {}

        value_type take_value() {
            if (failure_)
                std::rethrow_exception(std::exchange(failure_, nullptr));
            return value_.take();
        }

    private:
        void invoke() noexcept override {
            try {
                if constexpr (std::is_void_v<value_type>)
                    std::invoke(*function_);
                else
                    value_.set(std::invoke(*function_));
            } catch (...) {
                failure_ = std::current_exception();
            }
        }

        void discard() noexcept override { function_.reset(); }

        void answered() noexcept override { caller_->wake(); }

        call_operation* caller_;
        std::optional<Function> function_;
        detail::stored<value_type> value_;
        std::exception_ptr failure_;
    };

    loop_handle to_;
    Function function_;
    [[no_unique_address]] creation_site where_;
    std::shared_ptr<state> call_;
    bool cancelled_ = false;
};

template <class Function>
    requires std::invocable<Function&>
call_operation<Function> loop_handle::call(Function function, creation_site where) const {
    return call_operation<Function>(*this, std::move(function), where);
}

} // namespace coracle
