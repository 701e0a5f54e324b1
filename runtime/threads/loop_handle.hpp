// SPDX-License-Identifier: MIT
//
// loop_handle: the way to reach a loop from other threads.
#pragma once

#include "remote_queue.hpp"
#include <concepts>
#include <memory>
#include <utility>

namespace coracle {

/// A way to reach a loop from other threads. Cheap to copy; may outlive the loop.
class loop_handle {
public:
    explicit loop_handle(std::shared_ptr<detail::remote_queue> to) noexcept
        : remote_queue_(std::move(to)) {}

    /// Has the loop run `function` on its own thread, soon, in the order of posting.
    ///
    /// Returns false, and destroys `function` unrun, if the loop has ended. If the loop ends before
    /// its turn comes it is destroyed unrun as well,
    /// which becomes a warning when the context ends. An exception out of it becomes a warning.
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

private:
    std::shared_ptr<detail::remote_queue> remote_queue_;
};

} // namespace coracle
