// SPDX-License-Identifier: MIT
//
// event: a flag that jobs of one loop can wait for.
//
// Setting it wakes all who wait; it stays set until it is reset. It belongs to the thread whose
// loop uses it first, and stops the program with a message on another one: what other threads may
// set is a remote_event. It must outlive those who wait for it.
#pragma once

#include "../job.hpp"
#include "../result.hpp"
#include "../threads/thread_owner.hpp"

namespace coracle {

class event {
public:
    class wait_operation;

    explicit event(bool set = false) noexcept : set_(set) {}

    ~event();
    event(const event&) = delete;
    event& operator=(const event&) = delete;

    /// Wakes all who wait, and lets later waits pass.
    void set() noexcept;

    /// Makes later waits wait. Those already woken go on.
    void reset() noexcept {
        owner_.check("event::reset");
        set_ = false;
    }

    [[nodiscard]] bool is_set() const noexcept { return set_; }

    /// Suspends until the event is set.
    ///
    /// errors   operation_canceled
    [[nodiscard]] wait_operation wait() noexcept;

private:
    detail::thread_owner owner_;
    bool set_;
    wait_operation* first_ = nullptr;
    wait_operation* last_ = nullptr;
};

/// The awaitable of event::wait.
class [[nodiscard]] event::wait_operation final : public awaiter {
public:
    explicit wait_operation(event& awaited) noexcept : awaiter("event"), event_(&awaited) {}

    wait_operation(wait_operation&& idle) noexcept : awaiter(idle), event_(idle.event_) {}

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        detail::promise_base& frame = awaiting.promise();
        event_->owner_.check("event::wait");
        cancelled_ = frame.owner->refuses(frame);
        if (cancelled_ || event_->set_)
            return frame.owner->should_yield(frame);
        link();
        begin(frame);
        return true;
    }

    void await_resume() { await_result().value(); }

    [[nodiscard]] result<void> await_result() noexcept {
        end();
        return cancelled_ ? result<void>(detail::cancelled_code()) : result<void>();
    }

    void interrupt() noexcept override {
        unlink();
        cancelled_ = true;
        wake();
    }

private:
    friend class event;

    void link() noexcept;
    void unlink() noexcept;

    event* event_;
    wait_operation* next_ = nullptr;
    wait_operation* previous_ = nullptr;
    bool cancelled_ = false;
};

inline event::wait_operation event::wait() noexcept {
    return wait_operation(*this);
}

} // namespace coracle
