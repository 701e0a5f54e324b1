// SPDX-License-Identifier: MIT
//
// loop_handle: the way to reach a loop from other threads.
#pragma once

#include "remote_queue.hpp"
#include <concepts>
#include <memory>
#include <utility>

namespace coracle {

template <class Function>
class call_operation;

/// A way to reach a loop from other threads. Cheap to copy; may outlive the loop. A loop whose jobs
/// all wait is in a deadlock only once nobody has a handle of it any more.
class loop_handle {
public:
    explicit loop_handle(std::shared_ptr<detail::remote_queue> to) noexcept
        : remote_queue_(std::move(to)) {}

    /// Has the loop run `function` on its own thread, soon, in the order of posting.
    ///
    /// Returns false, and destroys `function` unrun, if the loop has ended. If the loop ends before
    /// it has run the function, that is destroyed unrun, and a warning says so when the context
    /// ends. An exception out of it becomes a warning.
    ///
    /// errors   std::bad_alloc
    template <std::invocable Function>
    bool post(Function function, creation_site where = {}) const {
        struct posted final : detail::remote_queue::work_item {
            posted(Function&& run_later, const creation_site& where)
                : work_item(where), function_(std::move(run_later)) {}

            void run() override { static_cast<void>(function_()); }

            Function function_;
        };

        return remote_queue_->post(std::make_unique<posted>(std::move(function), where));
    }

    /// Awaitable, for a job of another loop: has this loop run `function` and gives what it returns
    /// or throws. Cancelling takes back a function that is still queued, and waits for one that
    /// runs. Defined in call.hpp.
    ///
    /// errors   operation_canceled; no_such_process if this loop ended before it ran the function;
    ///          std::bad_alloc
    template <class Function>
        requires std::invocable<Function&>
    [[nodiscard]] call_operation<Function> call(Function function, creation_site where = {}) const;

    /// Posts a work item that is made already.
    bool post(std::unique_ptr<detail::remote_queue::work_item> item) const noexcept {
        return remote_queue_->post(std::move(item));
    }

private:
    std::shared_ptr<detail::remote_queue> remote_queue_;
};

} // namespace coracle
