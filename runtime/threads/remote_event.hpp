// SPDX-License-Identifier: MIT
//
// remote_event: an event that any thread may set.
//
//     remote_event done;                           // on the thread of the loop that waits
//     std::thread worker([&] { work(); done.set(); });
//     co_await done.wait();
#pragma once

#include "../sync/event.hpp"
#include "loop_handle.hpp"
#include <memory>

namespace coracle {

class remote_event {
public:
    /// Belongs to the loop of the thread that makes it.
    remote_event();

    remote_event(const remote_event&) = delete;
    remote_event& operator=(const remote_event&) = delete;

    /// Wakes all who wait, in the loop's next iteration. From any thread; the remote_event may be
    /// destroyed as soon as a wait for it has ended. Returns false if the loop has ended.
    ///
    /// errors   std::bad_alloc
    bool set() const;

    // On the loop's thread only.

    /// Makes later waits wait. A `set` that the loop has not seen yet still counts.
    void reset() noexcept { state_->flag.reset(); }

    [[nodiscard]] bool is_set() const noexcept { return state_->flag.is_set(); }

    /// Suspends until the event is set.
    ///
    /// errors   operation_canceled
    [[nodiscard]] event::wait_operation wait() noexcept { return state_->flag.wait(); }

private:
    struct state {
        explicit state(loop_handle to) noexcept : home(std::move(to)) {}

        loop_handle home;
        event flag;
    };

    std::shared_ptr<state> state_;
};

} // namespace coracle
