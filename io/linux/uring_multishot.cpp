// SPDX-License-Identifier: MIT
#include "uring_multishot.hpp"

#include "../../runtime/diagnostics/warning.hpp"
#include "../posix/calls.hpp"
#include "multishot_probe.hpp"
#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <new>
#include <utility>

namespace coracle::uring {

namespace {

/// What a multishot may have brought before it is asked to end. More comes until it has.
constexpr std::size_t max_pending = 64;
constexpr std::size_t max_pending_buffers = 8;

/// Whether what has ended a multishot is nothing that somebody has to be told.
bool ends_well(int error) noexcept {
    return error == ECANCELED || error == ENOBUFS || error == EINTR || error == EAGAIN;
}

} // namespace

bool multishots::open(std::string& reason) {
    // Before, one that met a full completion queue could tell a wrong descriptor.
    can_accept_ = kernel_is_at_least(6, 8);
    const multishot_support receive = probe_multishot_receive(ring_, reason);
    can_receive_ = receive == multishot_support::works;
    if (receive == multishot_support::unknown)
        warning(fmt::format("io_uring: this context does without multishot receive, which could not "
                           "be tried: {}",
                           reason));
    return receive != multishot_support::no_ring;
}

bool multishots::wants(const operation& asked) noexcept {
    const detail::multishot& shots = *asked.target().shots;
    if (!shots.wanted)
        return false;
    if (asked.code() == opcode::accept)
        return can_accept_;
    if (!asked.arriving() || !can_receive_)
        return false;
    if (shots.armed)
        return shots.group->pool() == shots.pool;
    const auto& receive = static_cast<const receive_operation&>(asked);
    return groups_.group_for(receive.pool(), receive.where()) != nullptr;
}

bool multishots::park(operation& waiting) noexcept {
    detail::descriptor& target = waiting.target();
    const bool asked = !target.shots->armed ? arm(waiting) : wants(waiting) ? true : disarm(target);
    target.shots->parked = asked;
    return asked;
}

bool multishots::arm(operation& waiting) noexcept {
    detail::descriptor& target = waiting.target();
    detail::multishot& shots = *target.shots;
    if (waiting.code() == opcode::accept) {
        shots.armed = requests_.prep_multishot_accept(target);
    } else {
        auto& receive = static_cast<receive_operation&>(waiting);
        buffer_group& group = *groups_.group_for(receive.pool(), receive.made());
        shots.armed = requests_.prep_multishot_receive(target, group.id());
        if (shots.armed) {
            shots.group = &group;
            group.add_user();
        }
    }
    shots.was_armed = shots.was_armed || shots.armed;
    return shots.armed;
}

bool multishots::disarm(detail::descriptor& armed) noexcept {
    detail::multishot& shots = *armed.shots;
    shots.ending = shots.ending || requests_.prep_cancel(to_multishot_data(armed));
    return shots.ending;
}

bool multishots::take_untaken(operation& asked) noexcept {
    detail::multishot& shots = *asked.target().shots;
    if (shots.connections)
        return !shots.connections->empty() && asked.advance(shots.connections->pop());
    if (take_untaken_bytes(asked))
        return true;
    if (shots.failure != 0 && shots.bytes.empty()) {
        asked.fail(posix::error_of(std::exchange(shots.failure, 0)));
        return true;
    }
    return false;
}

bool multishots::take_untaken_bytes(operation& asked) noexcept {
    detail::received_queue& untaken = asked.target().shots->bytes;
    while (detail::received_bytes* const first = untaken.first()) {
        if (asked.arriving()) {
            untaken.pop();
            static_cast<receive_operation&>(asked).deliver(first->release());
            first->give_back();
            return true;
        }
        const std::size_t moved = detail::copy_into(asked, first->left());
        first->taken += moved;
        if (first->left().empty()) {
            untaken.pop();
            first->give_back();
        }
        if (asked.advance(static_cast<std::int64_t>(moved)))
            return true;
    }
    return false;
}

void multishots::drop_untaken(detail::descriptor& target) noexcept {
    if (!target.shots)
        return;
    detail::multishot& shots = *target.shots;
    while (shots.connections && !shots.connections->empty())
        target.opened_by->close(shots.connections->pop());
    while (detail::received_bytes* const first = shots.bytes.first()) {
        shots.bytes.pop();
        first->give_back();
    }
    shots.failure = 0;
}

verdict multishots::take(detail::descriptor& armed, int answer, unsigned flags) noexcept {
    detail::multishot& shots = *armed.shots;
    const bool over = !(flags & IORING_CQE_F_MORE);
    buffer_group* const group = shots.group;
    if (over) {
        shots.armed = false;
        shots.ending = false;
        shots.group = nullptr;
    }
    verdict told = verdict::nothing;
    if (group)
        told = take_bytes(armed, *group, answer, flags);
    else if (answer >= 0)
        told = take_connection(armed, answer);
    if (over && group)
        group->remove_user();
    if (!over || told != verdict::nothing)
        return told;
    if (std::exchange(shots.parked, false))
        return take_end(*armed.in.active, answer);
    if (group && answer < 0 && !ends_well(-answer))
        shots.failure = -answer;
    return verdict::nothing;
}

verdict multishots::take_connection(detail::descriptor& armed, native_handle accepted) noexcept {
    detail::multishot& shots = *armed.shots;
    if (std::exchange(shots.parked, false)) {
        static_cast<void>(armed.in.active->advance(accepted));
        return verdict::complete;
    }
    try {
        shots.connections->push(accepted);
    } catch (const std::bad_alloc&) {
        warning("there was no memory to keep a connection until it is asked for: it was closed");
        armed.opened_by->close(accepted);
    }
    if (shots.armed && shots.connections->size() >= max_pending)
        static_cast<void>(disarm(armed)); // the next that comes tries again
    return verdict::nothing;
}

verdict multishots::take_bytes(detail::descriptor& armed, buffer_group& group, int answer,
                               unsigned flags) noexcept {
    detail::multishot& shots = *armed.shots;
    if (!(flags & IORING_CQE_F_BUFFER))
        return verdict::nothing;
    const auto slot = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
    const auto size = static_cast<std::size_t>(std::max(answer, 0));
    detail::received_bytes* const came = group.take(slot, size);
    if (!came)
        return verdict::nothing;
    if (answer <= 0 || (armed.closing && !shots.parked)) { // nobody will take it
        came->give_back();
        return verdict::nothing;
    }
    shots.bytes.push(*came);
    const bool served = shots.parked && take_untaken_bytes(*armed.in.active);
    if (served)
        shots.parked = false;
    if (shots.armed && shots.bytes.size() >= max_pending_buffers)
        static_cast<void>(disarm(armed));
    return served ? verdict::complete : verdict::nothing;
}

/// What the end of a multishot means for an operation that waits for it: the answer is not yet the
/// operation's own.
verdict multishots::take_end(operation& waiting, int answer) noexcept {
    if (waiting.arriving() && answer == 0) {
        static_cast<receive_operation&>(waiting).deliver_end();
    } else if (answer == -ENOBUFS && waiting.code() != opcode::accept) {
        if (!waiting.arriving() || !waiting.advance(0))
            return verdict::resubmit; // with a buffer of its own
    } else if (answer == -EAGAIN) {
        if (make_blocking(waiting))
            return verdict::resubmit;
    } else if (answer >= 0 || (ends_well(-answer) && answer != -ENOBUFS)) {
        return verdict::resubmit;
    } else {
        waiting.fail(posix::error_of(-answer));
    }
    return verdict::complete;
}

} // namespace coracle::uring
