// SPDX-License-Identifier: MIT
//
// multishots: requests that bring everything that comes to a descriptor, and what they have
// brought. Private.
//
// A multishot is armed when an operation that wants one waits and nothing is there; whatever ends
// it (an overflow of the completions, a shortage of buffers), the next one that waits arms it
// again. One that has brought much that nobody takes is asked to end. What it has brought is taken
// before the kernel is asked for more, by whatever operation; it is given back when the descriptor
// is closed, and that waits until the last completion.
//
// Nothing is retired here: the backend does that, by what `complete` says.
#pragma once

#include "../capabilities.hpp"
#include "../operation.hpp"
#include "provided_buffers.hpp"
#include "ring.hpp"
#include "uring_requests.hpp"
#include <string>

namespace coracle::uring {

struct multishot_state;

/// What a completion of a multishot means for the operation that is active in the io_queue.
enum class completion_action {
    nothing,
    retire,
    resubmit,
};

class multishots final : public detail::multishot_source {
public:
    multishots(ring& of, requests& by) noexcept : ring_(of), groups_(of), requests_(by) {}

    /// Looks at what this kernel can do. False, with the reason, if the ring does not work.
    [[nodiscard]] bool open(std::string& reason);

    /// Whether there is or may have to be a multishot for an operation: else the rest is not asked.
    [[nodiscard]] static bool concern(const operation& op) noexcept {
        return op.inbound() && (op.target().backend_object || op.target().has_multishot_use);
    }

    /// Serves an operation with what has been brought already. False if more has to come.
    [[nodiscard]] static bool serve(operation& op) noexcept;

    /// Whether an operation waits for a multishot, and does not ask the kernel by itself: it wants
    /// one, or has to wait until the one that is armed has ended.
    [[nodiscard]] bool handles(const operation& op) noexcept;

    /// Has such an operation wait. False if the queue was full.
    [[nodiscard]] bool park(operation& op) noexcept;

    /// Has it not wait any more. False if it did not.
    [[nodiscard]] static bool unpark(const operation& op) noexcept;

    [[nodiscard]] completion_action complete(detail::descriptor& fd_state, int answer,
                                             unsigned flags) noexcept;

    /// The descriptor is about to be closed or given away. False while the kernel still knows of
    /// it; `queue_full` is set if it was too full to ask for that.
    [[nodiscard]] bool unregister(detail::descriptor& fd_state, bool& queue_full) noexcept;

    /// Asks once more to end what was asked to end and has not. False if the queue was full.
    [[nodiscard]] bool end_again(const detail::descriptor& fd_state) noexcept;

    /// Lends the kernel what the pools can spare.
    void feed() noexcept { groups_.feed(); }

    std::optional<result<buffer_lease>> take(detail::descriptor& fd_state) noexcept override;
    void end(detail::descriptor& fd_state) noexcept override;

    void return_buffers() noexcept override { groups_.return_buffers(); }

private:
    [[nodiscard]] static bool has_state(detail::descriptor& fd_state) noexcept;
    [[nodiscard]] bool wants(const operation& op) noexcept;
    [[nodiscard]] bool arm(operation& op, multishot_state& state) noexcept;
    [[nodiscard]] bool disarm(detail::descriptor& fd_state, multishot_state& state) noexcept;
    [[nodiscard]] completion_action complete_accept(detail::descriptor& fd_state,
                                                    native_handle accepted) noexcept;
    [[nodiscard]] completion_action complete_receive(detail::descriptor& fd_state,
                                                     buffer_group& group, int answer,
                                                     unsigned flags) noexcept;
    [[nodiscard]] static completion_action complete_last(operation& op, int answer) noexcept;

    ring& ring_;
    buffer_groups groups_;
    requests& requests_;
    bool can_accept_ = false;
    bool can_receive_ = false;
};

} // namespace coracle::uring
