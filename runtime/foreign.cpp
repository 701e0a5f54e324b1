// SPDX-License-Identifier: MIT
#include "foreign.hpp"

#include "loop.hpp"
#include <exception>

namespace coracle::detail {

/// A coroutine that tells the wait when it is resumed, once. It does so when it is suspended at its
/// end: the loop, on another thread, may destroy it at once.
struct foreign_wait::resumer {
    struct promise_type {
        class final_awaiter {
        public:
            final_awaiter() noexcept {}

            [[nodiscard]] static bool await_ready() noexcept { return false; }

            static void await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
                ended.promise().resumed_->resumed();
            }

            static void await_resume() noexcept {}
        };

        explicit promise_type(foreign_wait& resumed) noexcept : resumed_(&resumed) {}

        static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }

        static void operator delete(void* frame, std::size_t bytes) noexcept {
            deallocate_frame(frame, bytes);
        }

        resumer get_return_object() noexcept {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }

        static std::suspend_always initial_suspend() noexcept { return {}; }

        static final_awaiter final_suspend() noexcept { return {}; }

        static void return_void() noexcept {}

        [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }

        foreign_wait* resumed_;
    };

    std::coroutine_handle<> handle;
};

foreign_wait::resumer foreign_wait::make_resumer(foreign_wait&) {
    co_return;
}

std::coroutine_handle<> foreign_wait::begin_foreign(promise_base& frame) {
    resumer_ = make_resumer(*this).handle;
    loop_ = &loop::current();
    handle_.emplace(loop_->handle());
    begin(frame);
    return resumer_;
}

void foreign_wait::resumed() noexcept {
    if (loop::is_current(*loop_))
        return wake();
    const loop_handle home = *handle_; // once posted, this may be gone
    home.post([this] { wake(); });
}

} // namespace coracle::detail
