// SPDX-License-Identifier: MIT
//
// multishots: requests that go on and on, one for all that a socket brings. Private.
//
// A multishot that is wanted is armed when somebody waits and nothing is there; whatever ends it
// (an overflow of the completions, a shortage), the next one who waits arms it again. One that has
// brought much that ignored takes is asked to end.
//
// Nothing is retired here: the backend does that, by what `take` says.
#pragma once

#include "../multishot_receive.hpp"
#include "provided_buffers.hpp"
#include "ring.hpp"
#include "uring_requests.hpp"
#include <string>

namespace coracle::uring {

/// What a completion of a multishot means for the operation that is active in the io_queue.
enum class verdict {
    nothing,
    complete, // it is over
    resubmit, // it has to be given to the kernel anew
};

class multishots {
public:
    multishots(ring& of, requests& by) noexcept : ring_(of), groups_(of), requests_(by) {}

    /// Looks at what this kernel can do. False, with the reason, if the ring does not work.
    [[nodiscard]] bool open(std::string& reason);

    /// Whether an operation has to park, and does not ask the kernel by itself.
    [[nodiscard]] bool has_to_park(const operation& asked) noexcept {
        const detail::multishot* const shots = asked.target().shots.get();
        return asked.inbound() && shots && (shots->armed || wants(asked));
    }

    /// Has an operation wait for what the multishot brings or, if it wants none, for that to end.
    /// False if there was no room to ask for that.
    [[nodiscard]] bool park(operation& waiting) noexcept;

    /// Serves an operation with what has come already. False if more has to come.
    [[nodiscard]] static bool take_untaken(operation& asked) noexcept;

    /// Gives back what has come and was not taken.
    static void drop_untaken(detail::descriptor& target) noexcept;

    /// Asks the multishot to end. False if there was no room for that.
    [[nodiscard]] bool disarm(detail::descriptor& armed) noexcept;

    [[nodiscard]] verdict take(detail::descriptor& armed, int answer, unsigned flags) noexcept;

    /// Lends the kernel what the pools can spare, and takes it back.
    void feed() noexcept { groups_.feed(); }

    void return_buffers() noexcept { groups_.return_buffers(); }

private:
    [[nodiscard]] static bool take_untaken_bytes(operation& asked) noexcept;
    [[nodiscard]] bool wants(const operation& asked) noexcept;
    [[nodiscard]] bool arm(operation& waiting) noexcept;
    [[nodiscard]] verdict take_connection(detail::descriptor& armed,
                                          native_handle accepted) noexcept;
    [[nodiscard]] verdict take_bytes(detail::descriptor& armed, buffer_group& group, int answer,
                                     unsigned flags) noexcept;
    [[nodiscard]] static verdict take_end(operation& waiting, int answer) noexcept;

    ring& ring_;
    buffer_groups groups_;
    requests& requests_;
    bool can_accept_ = false;
    bool can_receive_ = false;
};

} // namespace coracle::uring
