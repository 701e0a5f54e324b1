// SPDX-License-Identifier: MIT
#include "uring_multishot.hpp"

#include "../../memory/frame_allocator.hpp"
#include "../../runtime/diagnostics/warning.hpp"
#include "../multishot_receive.hpp"
#include "../posix/calls.hpp"
#include "connection_queue.hpp"
#include "multishot_probe.hpp"
#include "received_bytes.hpp"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <utility>

namespace coracle::uring {

/// What a descriptor has from its first multishot until it is unregistered.
struct multishot_state {
    static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }

    static void operator delete(void* block, std::size_t bytes) noexcept {
        deallocate_frame(block, bytes);
    }

    bool armed = false;  // the kernel has the request
    bool ending = false; // and has been asked to end it
    bool parked = false; // the active operation waits for what it brings
    bool ended = false;  // the stream has ended, and no read has been given that yet

    int failure = 0; // the error that ended the stream, if no read has been given it yet

    buffer_group* group = nullptr;                 // that the request receives into
    std::unique_ptr<connection_queue> connections; // of a listener
    received_queue bytes;
};

namespace {

/// How much may be pending before a multishot is cancelled. More may come until it has ended.
constexpr std::size_t max_pending = 64;
constexpr std::size_t max_pending_buffers = 8;

/// Whether it is no error of the socket: the multishot was cancelled, interrupted, or out of
/// buffers.
bool ends_well(int error) noexcept {
    return error == ECANCELED || error == ENOBUFS || error == EINTR || error == EAGAIN;
}

multishot_state* state_of(const detail::descriptor& target) noexcept {
    return static_cast<multishot_state*>(target.backend_object);
}

bool serve_bytes(operation& op, received_queue& bytes) noexcept {
    while (received_bytes* const first = bytes.first()) {
        const std::size_t moved = copy_into(op, first->left());
        first->taken += moved;
        if (first->left().empty()) {
            bytes.pop();
            first->give_back();
        }
        if (op.advance(static_cast<std::int64_t>(moved)))
            return true;
    }
    return false;
}

void drop_pending(detail::descriptor& target, multishot_state& state) noexcept {
    while (state.connections && !state.connections->empty())
        target.opened_by->close(state.connections->pop());
    while (received_bytes* const first = state.bytes.first()) {
        state.bytes.pop();
        first->give_back();
    }
}

} // namespace

bool multishots::open(std::string& reason) {
    // Older kernels: one that met a full completion queue could return a wrong descriptor.
    can_accept_ = kernel_is_at_least(6, 8);
    const multishot_support receive = probe_multishot_receive(ring_, reason);
    can_receive_ = receive == multishot_support::works;
    static std::atomic<bool> said = false; // the next context tries again, and says no more
    if (receive == multishot_support::unknown && !said.exchange(true))
        warning(fmt::format("io_uring: this context does not use multishot receive, which could "
                            "not be probed: {}",
                            reason));
    return receive != multishot_support::no_ring;
}

bool multishots::serve(operation& op) noexcept {
    multishot_state* const state = state_of(op.target());
    if (!state)
        return false;
    if (op.code() == opcode::accept)
        return state->connections && !state->connections->empty() &&
               op.advance(state->connections->pop());
    if (op.code() == opcode::wait_readable)
        return (!state->bytes.empty() || state->failure != 0 || state->ended) && op.advance(1);
    if (serve_bytes(op, state->bytes))
        return true;
    if (state->failure == 0)
        return false;
    op.fail(posix::error_of(std::exchange(state->failure, 0)));
    return true;
}

bool multishots::handles(const operation& op) noexcept {
    const multishot_state* const state = state_of(op.target());
    return (state && state->armed) ||
           (op.target().has_multishot_use && wants(op) && has_state(op.target()));
}

/// Makes the state at first. Without memory for it the operation asks the kernel for itself.
bool multishots::has_state(detail::descriptor& fd_state) noexcept {
    try {
        if (!fd_state.backend_object)
            fd_state.backend_object = new multishot_state;
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

/// Whether a multishot can be armed for this operation, or the one that is armed is for it.
bool multishots::wants(const operation& op) noexcept {
    if (op.code() == opcode::accept)
        return can_accept_;
    if (op.code() != opcode::wait_readable || !can_receive_)
        return false;
    const auto& receive = static_cast<const receive_operation&>(op);
    const multishot_state* const state = state_of(op.target());
    if (state && state->armed)
        return state->group->pool() == &receive.pool();
    return groups_.group_for(receive.pool(), receive.where()) != nullptr;
}

bool multishots::park(operation& op) noexcept {
    detail::descriptor& target = op.target();
    multishot_state* const state = state_of(target);
    const bool wanted = target.has_multishot_use && wants(op);
    state->parked = !state->armed ? arm(op, *state) : wanted || disarm(target, *state);
    return state->parked;
}

bool multishots::unpark(const operation& op) noexcept {
    multishot_state* const state = op.inbound() ? state_of(op.target()) : nullptr;
    return state && std::exchange(state->parked, false);
}

bool multishots::arm(operation& op, multishot_state& state) noexcept {
    if (op.code() == opcode::accept) {
        state.armed = requests_.prep_multishot_accept(op.target());
        return state.armed;
    }
    const auto& receive = static_cast<const receive_operation&>(op);
    buffer_group& group = *groups_.group_for(receive.pool(), receive.where());
    state.armed = requests_.prep_multishot_receive(op.target(), group.id());
    if (state.armed) {
        state.group = &group;
        group.add_user();
    }
    return state.armed;
}

bool multishots::disarm(detail::descriptor& fd_state, multishot_state& state) noexcept {
    state.ending =
        state.ending || requests_.prep_cancel(to_multishot_data(fd_state), multishot_cancel);
    return state.ending;
}

bool multishots::end_again(const detail::descriptor& fd_state) noexcept {
    const multishot_state* const state = state_of(fd_state);
    return !state || !state->ending ||
           requests_.prep_cancel(to_multishot_data(fd_state), multishot_cancel);
}

void multishots::end(detail::descriptor& fd_state) noexcept {
    // Should the queue be full, it ends when it has brought too much, or with the socket.
    multishot_state* const state = state_of(fd_state);
    if (state && state->armed)
        static_cast<void>(disarm(fd_state, *state));
}

bool multishots::unregister(detail::descriptor& fd_state, bool& queue_full) noexcept {
    multishot_state* const state = state_of(fd_state);
    if (!state)
        return true;
    // Nobody can take these any more, and their pool need not outlive the stream.
    if (fd_state.closing)
        drop_pending(fd_state, *state);
    if (state->armed) {
        queue_full = !disarm(fd_state, *state) || queue_full;
        return false;
    }
    drop_pending(fd_state, *state);
    delete state;
    fd_state.backend_object = nullptr;
    return true;
}

std::optional<result<buffer_lease>> multishots::take(detail::descriptor& fd_state) noexcept {
    multishot_state* const state = state_of(fd_state);
    if (!state)
        return std::nullopt;
    if (received_bytes* const first = state->bytes.first()) {
        state->bytes.pop();
        buffer_lease bytes = first->release();
        first->give_back();
        return bytes;
    }
    if (state->failure != 0)
        return posix::error_of(std::exchange(state->failure, 0));
    if (state->ended)
        return buffer_lease();
    return std::nullopt;
}

completion_action multishots::complete(detail::descriptor& fd_state, int answer,
                                       unsigned flags) noexcept {
    multishot_state& state = *state_of(fd_state);
    const bool last = !(flags & IORING_CQE_F_MORE);
    buffer_group* const group = state.group;
    if (last) {
        state.armed = false;
        state.ending = false;
        state.group = nullptr;
    }
    completion_action result = completion_action::nothing;
    if (group)
        result = complete_receive(fd_state, *group, answer, flags);
    else if (answer >= 0)
        result = complete_accept(fd_state, answer);
    if (last && group) {
        group->remove_user();
        state.ended = state.ended || answer == 0;
        if (answer < 0 && !ends_well(-answer))
            state.failure = -answer;
    }
    if (last && result == completion_action::nothing && std::exchange(state.parked, false))
        return complete_last(*fd_state.in.active, answer);
    return result;
}

completion_action multishots::complete_accept(detail::descriptor& fd_state,
                                              native_handle accepted) noexcept {
    multishot_state& state = *state_of(fd_state);
    if (std::exchange(state.parked, false)) {
        static_cast<void>(fd_state.in.active->advance(accepted));
        return completion_action::retire;
    }
    try {
        if (!state.connections)
            state.connections = std::make_unique<connection_queue>();
        state.connections->push(accepted);
    } catch (const std::bad_alloc&) {
        warning("there was no memory to keep a connection until it is asked for: it was closed");
        fd_state.opened_by->close(accepted);
        return completion_action::nothing;
    }
    if (state.armed && state.connections->size() >= max_pending)
        static_cast<void>(disarm(fd_state, state)); // the next that comes tries again
    return completion_action::nothing;
}

completion_action multishots::complete_receive(detail::descriptor& fd_state, buffer_group& group,
                                               int answer, unsigned flags) noexcept {
    if (!(flags & IORING_CQE_F_BUFFER))
        return completion_action::nothing;
    multishot_state& state = *state_of(fd_state);
    const auto slot = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
    const auto size = static_cast<std::size_t>(std::max(answer, 0));
    received_bytes* const came = group.take(slot, size);
    if (!came)
        return completion_action::nothing;
    if (answer <= 0 || (fd_state.closing && !state.parked)) { // nobody will take it
        came->give_back();
        return completion_action::nothing;
    }
    state.bytes.push(*came);
    const bool served = state.parked && serve(*fd_state.in.active);
    if (served)
        state.parked = false;
    if (state.armed && state.bytes.size() >= max_pending_buffers)
        static_cast<void>(disarm(fd_state, state));
    return served ? completion_action::retire : completion_action::nothing;
}

/// What the end of a multishot means for an operation that waits for it: the answer is not yet the
/// operation's own.
completion_action multishots::complete_last(operation& op, int answer) noexcept {
    if (answer == -EAGAIN) // of a socket that does not block: io_uring cannot wait for it
        return make_blocking(op) ? completion_action::resubmit : completion_action::retire;
    if (op.code() == opcode::accept) {
        if (answer >= 0 || (ends_well(-answer) && answer != -ENOBUFS))
            return completion_action::resubmit;
        op.fail(posix::error_of(-answer));
        return completion_action::retire;
    }
    if (serve(op))
        return completion_action::retire;
    // Without a buffer there still is something to read.
    if (op.code() == opcode::wait_readable && answer == -ENOBUFS && op.advance(1))
        return completion_action::retire;
    return completion_action::resubmit;
}

} // namespace coracle::uring
