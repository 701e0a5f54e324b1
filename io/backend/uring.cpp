// SPDX-License-Identifier: MIT
//
// io_uring: completions. Operations become requests; a turn gives all of them to the kernel and
// waits for completions in one entry, collects everything that has come, and only then is anything
// resumed.
//
// A read of a socket that has been read from before is not given to the kernel before there is
// something to read: one poll, made once, tells that of every arrival, where a read that has to
// wait makes and removes a poll of its own each time. A read that comes too early all the same is
// told so at once, and waits for the poll.
//
// A multishot that is wanted is one request for all that a socket brings. It is armed when somebody
// waits and nothing is there; whatever ends it (an overflow of the completions, a shortage), the
// next one who waits arms it again. One that has brought much that nobody takes is asked to end.
//
// Invariants. A request carries its operation's address, so an operation stays until its completion
// has been collected, cancelled or not. What finds the queue full waits in the backlog; a cancel
// has a backlog of its own that goes first, so that it gets through whatever else is going on.
#include "uring.hpp"

#include "../../memory/fatal.hpp"
#include "../../runtime/notice.hpp"
#include "../context.hpp"
#include "../multishot_receive.hpp"
#include "fixed_buffers.hpp"
#include "posix.hpp"
#include "provided_buffers.hpp"
#include "ring.hpp"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coracle {

namespace {

// What a completion belongs to: an operation by its address, the poll or the multishot of a
// descriptor by the address with a bit set, or one of these.
constexpr std::uint64_t nobody = 0;
constexpr std::uint64_t wake_up = 2;
constexpr std::uint64_t poll_mark = 1;
constexpr std::uint64_t multishot_mark = 4;

/// What a multishot may have brought before it is asked to end. More comes until it has.
constexpr std::size_t most_untaken = 64;
constexpr std::size_t most_untaken_buffers = 8;

std::uint64_t name_of(const operation& named) noexcept {
    return reinterpret_cast<std::uintptr_t>(&named);
}

std::uint64_t name_of_poll(const detail::descriptor& polled) noexcept {
    return reinterpret_cast<std::uintptr_t>(&polled) | poll_mark;
}

std::uint64_t name_of_multishot(const detail::descriptor& armed) noexcept {
    return reinterpret_cast<std::uintptr_t>(&armed) | multishot_mark;
}

bool is_read(const operation& asked) noexcept {
    return asked.code() == opcode::read || asked.code() == opcode::read_vector;
}

/// Whether what has ended a multishot is nothing that somebody has to be told.
bool ends_well(int error) noexcept {
    return error == ECANCELED || error == ENOBUFS || error == EINTR || error == EAGAIN;
}

class uring_backend final : public backend {
public:
    uring_backend() = default;
    ~uring_backend() override;

    [[nodiscard]] bool open(const context_options& options, std::string& reason);

    std::string_view name() const noexcept override { return "io_uring"; }

    buffer_registrar* registrar() noexcept override { return &buffers_; }

    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override;
    void wake() noexcept override;
    bool submit(operation& started) noexcept override;
    void cancel(operation& unwanted) noexcept override;
    bool forget(detail::descriptor& known) noexcept override;
    void forget_now(detail::descriptor& known) noexcept override;
    void disarm(detail::descriptor& unwanted) noexcept override;
    void flush() noexcept override;
    void finish_closing() noexcept override;
    void return_buffers() noexcept override;

private:
    [[nodiscard]] io_uring_sqe* request() noexcept;
    [[nodiscard]] bool request(operation& started) noexcept;
    [[nodiscard]] static bool make_blocking(operation& started) noexcept;
    [[nodiscard]] bool request_cancel(std::uint64_t of) noexcept;
    void request_wake() noexcept;
    void request_poll(detail::descriptor& polled) noexcept;
    [[nodiscard]] bool parks(const operation& read) noexcept;
    [[nodiscard]] static int wait_flags(const operation& asked) noexcept;
    void give(operation& started) noexcept;
    [[nodiscard]] bool wants_multishot(const operation& asked) noexcept;
    [[nodiscard]] uring::buffer_group* group_of(const buffer_pool* pool) noexcept;
    [[nodiscard]] uring::buffer_group* group_for(const receive_operation& asked) noexcept;
    void feed_groups() noexcept;
    [[nodiscard]] static bool take_untaken(operation& asked) noexcept;
    [[nodiscard]] static bool take_untaken_bytes(operation& asked) noexcept;
    [[nodiscard]] bool park_on_multishot(operation& waiting) noexcept;
    [[nodiscard]] bool arm(operation& waiting) noexcept;
    [[nodiscard]] bool request_disarm(detail::descriptor& target) noexcept;
    void drop_untaken(detail::descriptor& target) noexcept;
    void request_backlog() noexcept;
    void enter(unsigned completions, std::chrono::nanoseconds limit) noexcept;
    void collect() noexcept;
    void take(operation& answered, int answer) noexcept;
    void take_poll(detail::descriptor& polled, int answer, unsigned flags) noexcept;
    void take_multishot(detail::descriptor& armed, int answer, unsigned flags) noexcept;
    void take_connection(detail::descriptor& armed, native_handle accepted) noexcept;
    void take_bytes(detail::descriptor& armed, int answer, unsigned flags) noexcept;
    void take_end(operation& waiting, int answer) noexcept;

    uring::ring ring_;
    uring::fixed_buffers buffers_{ring_};
    detail::operation_queue backlog_;  // operations without a request yet
    detail::operation_queue unwanted_; // to be cancelled, without a request for that yet
    int wake_handle_ = -1;             // an eventfd
    std::uint64_t wake_count_ = 0;     // what the kernel reads from it
    bool wake_requested_ = false;      // the kernel may write to wake_count_
    bool has_poll_ = true;             // since Linux 5.13; before, reads wait in the kernel
    bool has_multishot_accept_ = false;
    bool group_refused_ = false; // the kernel has no room for a group of buffers
    std::vector<std::unique_ptr<uring::buffer_group>> groups_;
    std::uint16_t groups_made_ = 0;
    std::byte peeked_{};          // nobody reads it
    bool forget_refused_ = false; // there was no room to ask the kernel to forget a poll
};

constexpr std::chrono::nanoseconds for_ever(-1);

bool uring_backend::open(const context_options& options, std::string& reason) {
    wake_handle_ = ::eventfd(0, EFD_CLOEXEC);
    if (wake_handle_ < 0) {
        reason = fmt::format("eventfd failed: {}", std::strerror(errno));
        return false;
    }
    if (!ring_.open(options.ring_entries, reason))
        return false;
    // Before, one that met a full completion queue could tell a wrong descriptor.
    has_multishot_accept_ = uring::kernel_is_at_least(6, 8);
    if (ring_.reduced_to() != 0)
        notice(
            fmt::format("io_uring: the limit of locked memory (ulimit -l) leaves room for a ring "
                        "of {} entries only",
                        ring_.reduced_to()));
    return true;
}

uring_backend::~uring_backend() {
    // Closing a ring does not stop the kernel from writing: what is under way must end first.
    if (wake_requested_) {
        while (!request_cancel(wake_up))
            enter(0, for_ever);
        while (wake_requested_) {
            enter(1, for_ever);
            collect();
        }
    }
    if (wake_handle_ >= 0)
        ::close(wake_handle_);
}

/// Room for a request: at once, or after the queue has been given to the kernel.
io_uring_sqe* uring_backend::request() noexcept {
    io_uring_sqe* free = ring_.request();
    if (!free) {
        enter(0, for_ever);
        free = ring_.request();
    }
    return free;
}

bool uring_backend::submit(operation& started) noexcept {
    if (started.target().non_blocking && !make_blocking(started))
        return false;
    if (started.inbound() && started.target().shots && take_untaken(started))
        return false;
    give(started);
    return true;
}

/// Has the kernel do it, now or when there is room or, for a read, something to read.
void uring_backend::give(operation& started) noexcept {
    if (is_read(started) && parks(started))
        started.target().read_parked = true;
    else if (!backlog_.empty() || !request(started))
        backlog_.push(started);
}

/// Whether a read had better wait until the poll of its socket says that there is something. Only a
/// socket that is read from again is worth a poll.
bool uring_backend::parks(const operation& read) noexcept {
    detail::descriptor& target = read.target();
    if (target.shots && target.shots->armed_pool)
        return false; // there are bytes, or it had waited for those
    if (target.registered)
        return !target.readable && !target.hung_up;
    if (std::exchange(target.read_before, true))
        request_poll(target);
    return false;
}

/// A read does not wait in the kernel if the poll of its socket will tell when to try again: it
/// would make a poll of its own, and both would wake for what only one finds.
int uring_backend::wait_flags(const operation& asked) noexcept {
    const detail::descriptor& target = asked.target();
    return is_read(asked) && target.registered && !target.hung_up ? MSG_DONTWAIT : 0;
}

void uring_backend::request_poll(detail::descriptor& polled) noexcept {
    io_uring_sqe* const sqe = has_poll_ ? request() : nullptr;
    if (!sqe)
        return;
    io_uring_prep_poll_multishot(sqe, static_cast<int>(polled.handle), POLLIN | POLLRDHUP);
    io_uring_sqe_set_data64(sqe, name_of_poll(polled));
    polled.registered = true;
    polled.readable = true; // until a read finds less than it asked for
}

/// io_uring waits by itself, but only for a socket that may block. Another backend, or whoever
/// opened it, may have made it one that does not. False, and failed, if that cannot be undone.
bool uring_backend::make_blocking(operation& started) noexcept {
    const auto handle = static_cast<int>(started.target().handle);
    if (const std::error_code error = posix::set_blocking(handle, true)) {
        started.fail(error);
        return false;
    }
    started.target().non_blocking = false;
    return true;
}

bool uring_backend::request(operation& started) noexcept {
    const detail::descriptor& target = started.target();
    if (started.inbound() && target.shots && (target.shots->armed || wants_multishot(started)))
        return park_on_multishot(started);
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return false;
    const int handle = static_cast<int>(target.handle);
    switch (started.code()) {
    case opcode::accept:
        io_uring_prep_accept(sqe, handle, nullptr, nullptr, SOCK_CLOEXEC);
        break;
    case opcode::connect: {
        auto& connecting = static_cast<connect_operation&>(started);
        const socklen_t size = posix::to_native(connecting.peer(), connecting.scratch.data());
        io_uring_prep_connect(sqe, handle,
                              reinterpret_cast<const sockaddr*>(connecting.scratch.data()), size);
        break;
    }
    case opcode::read: {
        auto& read = static_cast<transfer_operation&>(started);
        if (read.arriving())
            io_uring_prep_recv(sqe, handle, &peeked_, 1, MSG_PEEK | wait_flags(read));
        else
            io_uring_prep_recv(sqe, handle, read.data(), std::min(read.size(), posix::most_bytes),
                               wait_flags(read));
        break;
    }
    case opcode::write: {
        auto& write = static_cast<transfer_operation&>(started);
        io_uring_prep_send(sqe, handle, write.data(), std::min(write.size(), posix::most_bytes),
                           MSG_NOSIGNAL | MSG_WAITALL);
        break;
    }
    case opcode::read_vector:
        io_uring_prep_recvmsg(sqe, handle,
                              &posix::message_of(static_cast<vector_operation&>(started)),
                              static_cast<unsigned>(wait_flags(started)));
        break;
    case opcode::write_vector:
        io_uring_prep_sendmsg(sqe, handle,
                              &posix::message_of(static_cast<vector_operation&>(started)),
                              MSG_NOSIGNAL | MSG_WAITALL);
        break;
    }
    io_uring_sqe_set_data(sqe, &started);
    return true;
}

void uring_backend::cancel(operation& unwanted) noexcept {
    detail::descriptor& target = unwanted.target();
    bool parked = is_read(unwanted) && std::exchange(target.read_parked, false);
    if (unwanted.inbound() && target.shots)
        parked = std::exchange(target.shots->parked, false) || parked;
    // What the kernel does not know of is over at once, and leaves the socket as it is.
    if (parked || backlog_.remove(unwanted) || ring_.withdraw(name_of(unwanted))) {
        unwanted.fail(detail::cancelled_code());
        retire(unwanted);
    } else if (!unwanted_.empty() || !request_cancel(name_of(unwanted))) {
        unwanted_.push(unwanted);
    }
}

bool uring_backend::request_cancel(std::uint64_t of) noexcept {
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return false;
    io_uring_prep_cancel64(sqe, of, 0);
    io_uring_sqe_set_data64(sqe, nobody);
    return true;
}

bool uring_backend::forget(detail::descriptor& known) noexcept {
    const bool armed = known.shots && known.shots->armed;
    if (!known.registered && !armed) {
        known.readable = true;
        known.hung_up = false;
        known.read_before = false;
        drop_untaken(known);
        return true;
    }
    // As long as these are there the socket is too, whatever becomes of its handle.
    if (armed && !request_disarm(known))
        forget_refused_ = true;
    if (known.registered && !std::exchange(known.forgetting, true) &&
        !request_cancel(name_of_poll(known))) {
        known.forgetting = false;
        forget_refused_ = true;
    }
    return false;
}

void uring_backend::forget_now(detail::descriptor& known) noexcept {
    while (!forget(known)) {
        enter(1, for_ever);
        collect();
    }
}

void uring_backend::finish_closing() noexcept {
    while (closing() > 0) {
        request_backlog();
        enter(1, for_ever);
        collect();
    }
}

void uring_backend::return_buffers() noexcept {
    for (const auto& each : groups_)
        each->return_buffers();
}

void uring_backend::flush() noexcept {
    request_backlog();
    if (ring_.unsubmitted() > 0)
        enter(0, for_ever);
}

void uring_backend::request_wake() noexcept {
    if (wake_requested_)
        return;
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return;
    io_uring_prep_read(sqe, wake_handle_, &wake_count_, sizeof wake_count_, 0);
    io_uring_sqe_set_data64(sqe, wake_up);
    wake_requested_ = true;
}

void uring_backend::request_backlog() noexcept {
    if (std::exchange(forget_refused_, false))
        retry_closing();
    while (operation* const unwanted = unwanted_.pop()) {
        if (!request_cancel(name_of(*unwanted))) {
            unwanted_.push(*unwanted);
            return;
        }
    }
    while (operation* const waiting = backlog_.pop()) {
        if (waiting->inbound() && waiting->target().shots && take_untaken(*waiting))
            retire(*waiting); // it came while there was no room
        else if (!request(*waiting)) {
            backlog_.push_front(*waiting);
            return;
        }
    }
}

void uring_backend::poll(time_point deadline) {
    feed_groups();
    request_backlog();
    request_wake();
    const bool nothing_held_back = backlog_.empty() && unwanted_.empty() && wake_requested_;
    if (deadline != time_point::min() && nothing_held_back && !ring_.completions_waiting()) {
        const bool limited = deadline != time_point::max();
        enter(1, limited ? std::max(deadline - now(), time_point::duration(0)) : for_ever);
    } else if (ring_.unsubmitted() > 0 || ring_.needs_enter()) {
        enter(0, for_ever);
    }
    collect();
}

void uring_backend::enter(unsigned completions, std::chrono::nanoseconds limit) noexcept {
    const int failure = ring_.enter(completions, limit);
    if (failure != 0)
        detail::fatal(fmt::format("io_uring_enter failed: {}", std::strerror(-failure)));
}

void uring_backend::collect() noexcept {
    ring_.collect([this](std::uint64_t whose, int answer, unsigned flags) {
        const auto address = static_cast<std::uintptr_t>(whose & ~(poll_mark | multishot_mark));
        if (whose == nobody)
            return;
        if (whose == wake_up)
            wake_requested_ = false;
        else if (whose & poll_mark)
            take_poll(*reinterpret_cast<detail::descriptor*>(address), answer, flags);
        else if (whose & multishot_mark)
            take_multishot(*reinterpret_cast<detail::descriptor*>(address), answer, flags);
        else
            take(*reinterpret_cast<operation*>(address), answer);
    });
}

void uring_backend::take_poll(detail::descriptor& polled, int answer, unsigned flags) noexcept {
    const detail::pin kept(&polled);
    has_poll_ = has_poll_ && answer != -EINVAL;
    polled.readable = true;
    if (answer > 0 && (answer & (POLLRDHUP | POLLHUP | POLLERR)))
        polled.hung_up = true;
    if (std::exchange(polled.read_parked, false))
        backlog_.push(*polled.in.active);
    if (flags & IORING_CQE_F_MORE)
        return;
    polled.registered = false;
    polled.forgetting = false;
    forgotten(polled);
}

void uring_backend::take(operation& answered, int answer) noexcept {
    if (!unwanted_.empty())
        unwanted_.remove(answered);
    if (answer == -EINTR || answer == -EAGAIN) {
        const bool told = answer == -EAGAIN && wait_flags(answered) != 0;
        if (told)
            answered.target().readable = false; // as its poll will say when it is not so any more
        if (answered.interrupted())
            answered.fail(detail::cancelled_code());
        else if (told || answer == -EINTR || make_blocking(answered))
            return give(answered);
    } else if (answer < 0) {
        answered.fail(posix::error_of(-answer));
    } else {
        detail::descriptor& target = answered.target();
        if (answered.code() == opcode::read && target.registered && !answered.arriving()) {
            const auto& read = static_cast<const transfer_operation&>(answered);
            target.readable = static_cast<std::size_t>(answer) == read.size();
        }
        if (!answered.advance(answer))
            return give(answered);
    }
    retire(answered);
}

bool uring_backend::wants_multishot(const operation& asked) noexcept {
    const detail::multishot& shots = *asked.target().shots;
    if (!shots.wanted)
        return false;
    if (asked.code() == opcode::accept)
        return has_multishot_accept_;
    if (!asked.arriving() || (shots.armed && shots.armed_pool != shots.pool))
        return false;
    return group_for(static_cast<const receive_operation&>(asked)) != nullptr;
}

uring::buffer_group* uring_backend::group_of(const buffer_pool* pool) noexcept {
    for (const auto& each : groups_) {
        if (each->pool() == pool)
            return each.get();
    }
    return nullptr;
}

/// The group of buffers that a receive wants; null if it has to do without.
uring::buffer_group* uring_backend::group_for(const receive_operation& asked) noexcept {
    uring::buffer_group* const known = group_of(&asked.pool());
    if (known || group_refused_ || !uring::multishot_receive_works())
        return known;
    try {
        std::erase_if(groups_, [](const auto& each) { return !each->pool(); });
        auto made = std::make_unique<uring::buffer_group>(asked.pool(), asked.made());
        groups_.reserve(groups_.size() + 1);
        group_refused_ = !made->open(ring_, groups_made_);
        if (group_refused_)
            return nullptr;
        ++groups_made_;
        made->feed();
        groups_.push_back(std::move(made));
        return groups_.back().get();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void uring_backend::feed_groups() noexcept {
    for (const auto& each : groups_)
        each->feed();
}

/// Serves an operation with what has come already. False if more has to come.
bool uring_backend::take_untaken(operation& asked) noexcept {
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

bool uring_backend::take_untaken_bytes(operation& asked) noexcept {
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

/// Has an operation wait for what the multishot brings or, if it wants none, for that to end. False
/// if there was no room to ask for that.
bool uring_backend::park_on_multishot(operation& waiting) noexcept {
    detail::descriptor& target = waiting.target();
    const bool asked = !target.shots->armed       ? arm(waiting)
                       : wants_multishot(waiting) ? true
                                                  : request_disarm(target);
    target.shots->parked = asked;
    return asked;
}

bool uring_backend::arm(operation& waiting) noexcept {
    detail::descriptor& target = waiting.target();
    io_uring_sqe* const sqe = request();
    if (!sqe)
        return false;
    const int handle = static_cast<int>(target.handle);
    if (waiting.code() == opcode::accept) {
        io_uring_prep_multishot_accept(sqe, handle, nullptr, nullptr, SOCK_CLOEXEC);
    } else {
        const buffer_pool& pool = static_cast<receive_operation&>(waiting).pool();
        uring::prepare_multishot_receive(*sqe, handle, group_of(&pool)->number());
        target.shots->armed_pool = &pool;
    }
    io_uring_sqe_set_data64(sqe, name_of_multishot(target));
    target.shots->armed = true;
    return true;
}

bool uring_backend::request_disarm(detail::descriptor& target) noexcept {
    detail::multishot& shots = *target.shots;
    shots.ending = shots.ending || request_cancel(name_of_multishot(target));
    return shots.ending;
}

void uring_backend::disarm(detail::descriptor& unwanted) noexcept {
    // Should there be no room to ask, it ends when it has brought too much, or with the socket.
    if (unwanted.shots->armed)
        static_cast<void>(request_disarm(unwanted));
}

void uring_backend::drop_untaken(detail::descriptor& target) noexcept {
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

void uring_backend::take_multishot(detail::descriptor& armed, int answer, unsigned flags) noexcept {
    const detail::pin kept(&armed);
    detail::multishot& shots = *armed.shots;
    const bool over = !(flags & IORING_CQE_F_MORE);
    if (over) {
        shots.armed = false;
        shots.ending = false;
    }
    if (shots.armed_pool)
        take_bytes(armed, answer, flags);
    else if (answer >= 0)
        take_connection(armed, answer);
    if (!over)
        return;
    // One who waits may have had it armed again by now.
    if (!shots.armed && std::exchange(shots.parked, false))
        take_end(*armed.in.active, answer);
    else if (shots.armed_pool && answer < 0 && !ends_well(-answer))
        shots.failure = -answer;
    forgotten(armed);
}

void uring_backend::take_connection(detail::descriptor& armed, native_handle accepted) noexcept {
    detail::multishot& shots = *armed.shots;
    if (std::exchange(shots.parked, false)) {
        static_cast<void>(armed.in.active->advance(accepted));
        return retire(*armed.in.active);
    }
    try {
        shots.connections->push(accepted);
    } catch (const std::bad_alloc&) {
        notice("there was no memory to keep a connection until it is asked for: it was closed");
        armed.opened_by->close(accepted);
    }
    if (shots.armed && shots.connections->size() >= most_untaken)
        static_cast<void>(request_disarm(armed)); // the next that comes tries again
}

void uring_backend::take_bytes(detail::descriptor& armed, int answer, unsigned flags) noexcept {
    detail::multishot& shots = *armed.shots;
    if (!(flags & IORING_CQE_F_BUFFER))
        return;
    const auto slot = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
    uring::buffer_group* const group = group_of(shots.armed_pool);
    if (!group)
        return; // the pool has gone, and has named whoever should have outlived it
    const auto size = static_cast<std::size_t>(std::max(answer, 0));
    detail::received_bytes& came = group->take(slot, size);
    if (answer <= 0)
        return came.give_back();
    shots.bytes.push(came);
    if (shots.parked && take_untaken_bytes(*armed.in.active)) {
        shots.parked = false;
        retire(*armed.in.active);
    }
    if (shots.armed && shots.bytes.size() >= most_untaken_buffers)
        static_cast<void>(request_disarm(armed));
}

/// The multishot that an operation waits for has ended, with an answer that is not yet the
/// operation's own.
void uring_backend::take_end(operation& waiting, int answer) noexcept {
    if (waiting.arriving() && answer == 0) {
        static_cast<receive_operation&>(waiting).deliver_end();
    } else if (answer == -ENOBUFS && waiting.code() != opcode::accept) {
        if (!waiting.arriving() || !waiting.advance(0))
            return give(waiting); // with a buffer of its own
    } else if (answer == -EAGAIN) {
        if (make_blocking(waiting))
            return give(waiting);
    } else if (answer >= 0 || (ends_well(-answer) && answer != -ENOBUFS)) {
        return give(waiting);
    } else {
        waiting.fail(posix::error_of(-answer));
    }
    retire(waiting);
}

void uring_backend::wake() noexcept {
    const std::uint64_t one = 1;
    while (::write(wake_handle_, &one, sizeof one) < 0) {
        if (errno != EINTR)
            detail::fatal(fmt::format("cannot wake a loop: {}", std::strerror(errno)));
    }
}

} // namespace

std::unique_ptr<backend> detail::make_uring(const context_options& options, std::string& reason) {
    auto made = std::make_unique<uring_backend>();
    return made->open(options, reason) ? std::move(made) : nullptr;
}

} // namespace coracle
