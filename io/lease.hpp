// SPDX-License-Identifier: MIT
//
// lease_operation: waiting for a buffer of a buffer_pool. Cancelling leaves the queue; a buffer
// that was granted before is returned by the await, not lost.
#pragma once

#include "../runtime/job.hpp"
#include "../runtime/result.hpp"
#include "buffer_pool.hpp"
#include <utility>

namespace coracle {

/// The awaitable of buffer_pool::lease. Gives a buffer_lease that has a buffer.
class [[nodiscard]] lease_operation final : public awaiter, buffer_waiter {
public:
    lease_operation(buffer_pool& from, const creation_site& where) noexcept
        : awaiter("lease"), buffer_waiter(where), pool_(&from) {}

    lease_operation(lease_operation&& idle) noexcept
        : awaiter(idle), buffer_waiter(idle.where()), pool_(idle.pool_) {}

    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        detail::promise_base& frame = awaiting.promise();
        cancelled_ = frame.owner->refuses(frame);
        if (!cancelled_)
            lease_ = pool_->try_lease(where());
        if (cancelled_ || lease_)
            return frame.owner->should_yield(frame);
        pool_->wait(*this);
        begin(frame);
        return true;
    }

    buffer_lease await_resume() { return await_result().value(); }

    result<buffer_lease> await_result() noexcept {
        end();
        if (cancelled_)
            return detail::cancelled_code();
        return std::move(lease_);
    }

    void interrupt() noexcept override {
        pool_->stop_waiting(*this);
        cancelled_ = true;
        wake();
    }

private:
    void on_buffer(buffer_lease given) noexcept override {
        lease_ = std::move(given);
        wake();
    }

    buffer_pool* pool_;
    buffer_lease lease_;
    bool cancelled_ = false;
};

inline lease_operation buffer_pool::lease(creation_site where) noexcept {
    return lease_operation(*this, where);
}

} // namespace coracle
