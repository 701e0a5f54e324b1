// SPDX-License-Identifier: MIT
//
// rio: registered I/O for reads and writes, and a completion port for everything else. A socket has
// a request queue from its first read or write on, with at most one request in each direction.
// Their completions go to one completion queue, which is read without a system call. Before the
// loop sleeps it is armed with RIONotify, which sends one packet to the port.
//
// Invariants. Windows cannot cancel a single request, so the kernel is never given the memory of a
// user: a cancelled read would have to wait for its peer. Bytes are copied through registered
// buffers that the backend owns. A cancelled operation retires at once, and its buffer stays until
// the completion has come: the bytes of a read are kept for the next read; those of a write still
// go out, and the stream says that the write was cut short. A buffer is given back, and a queue
// destroyed, only after the last completion.
//
// RIO_MSG_DEFER is not used: with one request in a queue there is nothing to commit together.
//
// A socket that was not opened with WSA_FLAG_REGISTERED_IO, and an operation for which no
// registered buffer can be had, go by the completion port. So does a socket that had a queue and
// has come to another loop.
#include "rio.hpp"

#include "../../memory/fatal.hpp"
#include "../../runtime/diagnostics/warning.hpp"
#include <algorithm>
#include <atomic>
#include <cstring>
#include <fmt/format.h>
#include <new>
#include <utility>

namespace coracle {

using namespace std::chrono_literals;

/// The requests of one socket. The completion queue refers to it, so it stays until none is left.
struct rio::stream_queue {
    [[nodiscard]] bool idle() const noexcept { return !receiving && !sending; }

    /// What a read need not wait for.
    [[nodiscard]] bool has_end() const noexcept {
        return shut || (answered && failure == ERROR_SUCCESS);
    }

    rio::request_queue handle = nullptr;
    bool unregistered = false; // its descriptor is gone, or in another loop
    bool closing = false;      // likewise, because the descriptor was closed

    operation* reading = nullptr; // it waits for what is received
    rio::registered_buffer into;
    std::size_t first = 0; // of the bytes that no read has taken
    std::size_t last = 0;
    bool receiving = false;
    bool answered = false; // with an end or a failure that no read has taken
    DWORD failure = ERROR_SUCCESS;
    bool shut = false; // there will be no more to read

    operation* writing = nullptr;
    bool last_piece = false; // all the bytes of that are with the kernel
    rio::registered_buffer from;
    bool sending = false;
    DWORD send_failure = ERROR_SUCCESS;
};

namespace {

using rio::stream_queue;

// Which request of a queue a completion is of.
constexpr ULONGLONG of_receive = 0;
constexpr ULONGLONG of_send = 1;

bool is_transfer(const operation& op) noexcept {
    return op.code() != opcode::accept && op.code() != opcode::connect;
}

void* context_of(ULONGLONG number) noexcept {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
}

/// The parts of an operation that are still to be done.
struct parts_left {
    std::array<vector_operation::part, vector_operation::max_parts> parts;
    std::size_t count = 1;

    /// Whether these are all parts there are, and no more bytes than that.
    [[nodiscard]] bool all_within(std::size_t size) const noexcept {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < count; ++i)
            bytes += parts[i].size;
        return bytes <= size && (count == 1 || count < parts.size());
    }

    explicit parts_left(const operation& op) noexcept {
        if (op.code() != opcode::read_vector && op.code() != opcode::write_vector) {
            const auto& transfer = static_cast<const transfer_operation&>(op);
            parts[0] = {transfer.data(), transfer.size()};
        } else {
            count = static_cast<const vector_operation&>(op).remaining(parts);
        }
    }
};

/// Copies what there is into where a read wants it. Gives the number of bytes.
std::size_t copy_out(stream_queue& from, const operation& op) noexcept {
    const parts_left into(op);
    const std::size_t begin = from.first;
    for (std::size_t i = 0; i < into.count && from.first < from.last; ++i) {
        const std::size_t size = std::min(into.parts[i].size, from.last - from.first);
        std::memcpy(into.parts[i].data, from.into.bytes.data() + from.first, size);
        from.first += size;
    }
    const std::size_t copied = from.first - begin;
    if (from.first == from.last)
        from.into.bytes.reset();
    return copied;
}

/// Copies the next bytes of a write into a registered buffer. Gives their number.
std::size_t copy_in(const rio::registered_buffer& into, const operation& op) noexcept {
    const parts_left from(op);
    std::size_t filled = 0;
    for (std::size_t i = 0; i < from.count && filled < rio::memory::registered_buffer_bytes; ++i) {
        const std::size_t size =
            std::min(from.parts[i].size, rio::memory::registered_buffer_bytes - filled);
        std::memcpy(into.bytes.data() + filled, from.parts[i].data, size);
        filled += size;
    }
    return filled;
}

/// Two ends of a connection, of which the first was opened for registered I/O.
struct loopback_pair {
    windows::owned_socket here;
    windows::owned_socket there;

    [[nodiscard]] bool open() noexcept {
        const windows::owned_socket listener(windows::open_stream(AF_INET, 0));
        sockaddr_in at = {};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        auto* const native = reinterpret_cast<sockaddr*>(&at);
        int size = sizeof at;
        here = windows::owned_socket(windows::open_stream(AF_INET, WSA_FLAG_REGISTERED_IO));
        if (::bind(listener.get(), native, size) != 0 || ::listen(listener.get(), 1) != 0 ||
            ::getsockname(listener.get(), native, &size) != 0 ||
            ::connect(here.get(), native, size) != 0)
            return false;
        there = windows::owned_socket(::accept(listener.get(), nullptr, nullptr));
        return there.get() != INVALID_SOCKET;
    }
};

/// Says once what would otherwise be said for each socket.
void say_once(std::atomic<bool>& said, std::string_view what) {
    if (!said.exchange(true))
        warning(what);
}

} // namespace

/// Closing a socket ends its requests; waits for their completions, a second at most.
rio_backend::~rio_backend() {
    const time_point limit = now() + 1s;
    while (closing_ > 0 && now() < limit)
        poll(limit);
    if (completions_) {
        collect();
        functions_.close_completion_queue(completions_);
    }
    if (requests_ > 0) // of sockets that outlive the loop: the kernel may still use the buffers, so
                       // they are leaked
        static_cast<void>(memory_.release());
}

bool rio_backend::open_registered(std::string& reason) {
    if (!open(reason) || !find_table(reason) || !make_completion_queue(reason))
        return false;
    memory_ = std::make_unique<rio::memory>(functions_);
    return round_trip(reason);
}

bool rio_backend::find_table(std::string& reason) {
    const windows::owned_socket probe(windows::open_stream(AF_INET, WSA_FLAG_REGISTERED_IO));
    if (probe.get() == INVALID_SOCKET) {
        reason = "no socket can be opened for it: " + windows::last_error().message();
        return false;
    }
    if (!windows::find_function(probe.get(), rio::code_of_tables, rio::table_name,
                                "the table of its functions", &functions_, sizeof functions_,
                                reason))
        return false;
    const std::array<std::pair<bool, const char*>, 9> wanted = {{
        {functions_.receive, "RIOReceive"},
        {functions_.send, "RIOSend"},
        {functions_.close_completion_queue, "RIOCloseCompletionQueue"},
        {functions_.create_completion_queue, "RIOCreateCompletionQueue"},
        {functions_.create_request_queue, "RIOCreateRequestQueue"},
        {functions_.dequeue_completion, "RIODequeueCompletion"},
        {functions_.register_buffer && functions_.deregister_buffer,
         "RIORegisterBuffer or RIODeregisterBuffer"},
        {functions_.notify, "RIONotify"},
        {functions_.resize_completion_queue, "RIOResizeCompletionQueue"},
    }};
    for (const auto& [there, name] : wanted) {
        if (!there) {
            reason = fmt::format("{} is not there", name);
            return false;
        }
    }
    return true;
}

bool rio_backend::make_completion_queue(std::string& reason) {
    rio::notification by = {};
    by.kind = rio::notification_kind::port;
    by.port.handle = port();
    by.port.key = context_of(key_of_completions);
    by.port.overlapped = &notification_;
    completions_ = functions_.create_completion_queue(capacity_, &by);
    if (completions_)
        return true;
    reason = "a completion queue cannot be made: " + windows::last_error().message();
    return false;
}

/// Sends a byte each way, and waits for the packet of RIONotify.
bool rio_backend::round_trip(std::string& reason) {
    loopback_pair ends;
    std::unique_ptr<stream_queue> probe;
    DWORD failure = ERROR_SUCCESS;
    if (!ends.open() || !(probe = make_queue(ends.here.get()))) {
        reason = "no connection can be made with it: " + windows::last_error().message();
        return false;
    }
    char byte = 'x';
    ::send(ends.there.get(), &byte, 1, 0);
    failure = post_receive(*probe);
    probe->from = memory_->take();
    if (failure == ERROR_SUCCESS && probe->from.bytes) {
        *probe->from.bytes.data() = std::byte{'y'};
        failure = post_send(*probe, 1);
    }
    const time_point limit = now() + 2s;
    while (!probe->idle() && now() < limit)
        poll(limit);
    const DWORD limit_ms = 2000;
    ::setsockopt(ends.there.get(), SOL_SOCKET, SO_RCVTIMEO,
                 reinterpret_cast<const char*>(&limit_ms), sizeof limit_ms);
    const bool works = failure == ERROR_SUCCESS && probe->idle() && probe->last == 1 &&
                       *probe->into.bytes.data() == std::byte{'x'} &&
                       ::recv(ends.there.get(), &byte, 1, 0) == 1 && byte == 'y';
    if (!works)
        reason = failure == ERROR_SUCCESS
                     ? "bytes do not come through it"
                     : "it takes no request: " + windows::error_of(failure).message();
    release(std::move(probe), true);
    return works;
}

/// The queue of a socket, made at first. Null if it has to do without.
stream_queue* rio_backend::queue_of(detail::descriptor& target) noexcept {
    bool& has_none = target.backend_flags[without_queue];
    if (target.backend_object || has_none)
        return static_cast<stream_queue*>(target.backend_object);
    std::unique_ptr<stream_queue> made;
    if (target.opened_by == &windows::registered_network())
        made = make_queue(static_cast<SOCKET>(target.handle));
    has_none = !made;
    target.backend_object = made.get();
    return made.release();
}

std::unique_ptr<stream_queue> rio_backend::make_queue(SOCKET handle) noexcept {
    std::unique_ptr<stream_queue> made(new (std::nothrow) stream_queue);
    if (!made || !reserve_completions())
        return nullptr;
    made->handle =
        functions_.create_request_queue(handle, 1, 1, 1, 1, completions_, completions_, made.get());
    if (!made->handle)
        return nullptr;
    ++queues_;
    return made;
}

/// Makes the completion queue large enough for one more socket.
bool rio_backend::reserve_completions() noexcept {
    if (2 * (queues_ + 1) <= capacity_)
        return true;
    if (capacity_ < rio::max_completions &&
        functions_.resize_completion_queue(completions_, 2 * capacity_)) {
        capacity_ *= 2;
        return true;
    }
    static std::atomic<bool> said = false;
    say_once(said, fmt::format("rio: a queue for {} completions is full and cannot grow: further "
                               "sockets go by the completion port",
                               capacity_));
    return false;
}

bool rio_backend::submit(operation& op) noexcept {
    stream_queue* const queue = is_transfer(op) ? queue_of(op.target()) : nullptr;
    if (!queue)
        return iocp_backend::submit(op);
    return op.inbound() ? read(*queue, op) : write(*queue, op);
}

/// Completes a read with what has arrived, or posts a receive. False if it is complete.
bool rio_backend::read(stream_queue& from, operation& op) noexcept {
    for (;;) {
        const bool has_bytes = from.first < from.last;
        if (op.code() == opcode::wait_readable && (has_bytes || from.has_end())) {
            return !op.advance(1);
        } else if (has_bytes) {
            if (op.advance(static_cast<std::int64_t>(copy_out(from, op))))
                return false;
        } else if (std::exchange(from.answered, false)) {
            if (apply(op, {from.failure, 0}))
                return false;
        } else if (from.shut) {
            return !apply(op, {ERROR_SUCCESS, 0});
        } else if (from.receiving) {
            from.reading = &op;
            return true;
        } else {
            const DWORD failure = post_receive(from);
            if (failure == WSAENOBUFS)
                return iocp_backend::submit(op);
            from.answered = failure != ERROR_SUCCESS;
            from.failure = failure;
        }
    }
}

/// Gives the next bytes of a write to the kernel. False if it is complete.
bool rio_backend::write(stream_queue& to, operation& op) noexcept {
    to.from = memory_->take();
    if (!to.from.bytes)
        return iocp_backend::submit(op);
    const std::size_t size = copy_in(to.from, op);
    const DWORD failure = post_send(to, size);
    if (failure == WSAENOBUFS)
        return iocp_backend::submit(op);
    if (failure != ERROR_SUCCESS)
        return !apply(op, {failure, 0});
    to.writing = &op;
    to.last_piece = parts_left(op).all_within(size);
    return true;
}

/// Success, or the code that says why not.
DWORD rio_backend::post_receive(stream_queue& from) noexcept {
    from.into = memory_->take();
    if (!from.into.bytes)
        return WSAENOBUFS;
    rio::slice whole = from.into.first(rio::memory::registered_buffer_bytes);
    if (!functions_.receive(from.handle, &whole, 1, 0, context_of(of_receive))) {
        const DWORD error = ::GetLastError(); // before anything else is called
        from.into.bytes.reset();
        return error;
    }
    from.receiving = true;
    ++requests_;
    return ERROR_SUCCESS;
}

DWORD rio_backend::post_send(stream_queue& to, std::size_t size) noexcept {
    rio::slice filled = to.from.first(size);
    if (!functions_.send(to.handle, &filled, 1, 0, context_of(of_send))) {
        const DWORD error = ::GetLastError(); // before anything else is called
        to.from.bytes.reset();
        return error;
    }
    to.sending = true;
    ++requests_;
    return ERROR_SUCCESS;
}

void rio_backend::poll(time_point deadline) {
    if (collect()) {
        deadline = time_point::min();
    } else if (requests_ > 0 && !armed_ && deadline != time_point::min()) {
        const int failure = functions_.notify(completions_);
        if (failure != ERROR_SUCCESS)
            detail::fatal(fmt::format("cannot wait on a completion queue: {}",
                                      windows::error_of(static_cast<DWORD>(failure)).message()));
        armed_ = true;
    }
    iocp_backend::poll(deadline);
}

void rio_backend::take_packet(ULONG_PTR) noexcept {
    armed_ = false;
    collect();
}

/// Takes all completions that have come. False if there are none.
bool rio_backend::collect() noexcept {
    constexpr auto capacity = static_cast<ULONG>(std::tuple_size_v<decltype(batch_)>);
    bool any = false;
    ULONG count = capacity;
    while (count == capacity) {
        count = functions_.dequeue_completion(completions_, batch_.data(), capacity);
        if (count == rio::corrupt_queue)
            detail::fatal("the completion queue of registered I/O is corrupt");
        for (ULONG i = 0; i < count; ++i)
            take(batch_[i]);
        any = any || count > 0;
    }
    return any;
}

void rio_backend::take(const rio::completion& came) noexcept {
    auto& queue =
        *reinterpret_cast<stream_queue*>(static_cast<std::uintptr_t>(came.socket_context));
    const auto failure = static_cast<DWORD>(came.status);
    --requests_;
    operation* waiting = nullptr;
    bool over = false;
    if (came.request_context == of_receive) {
        queue.receiving = false;
        queue.failure = failure;
        queue.answered = failure != ERROR_SUCCESS || came.bytes == 0;
        queue.first = 0;
        queue.last = queue.answered ? 0 : came.bytes;
        if (queue.answered)
            queue.into.bytes.reset();
        waiting = std::exchange(queue.reading, nullptr);
        over = waiting && !read(queue, *waiting);
    } else {
        queue.sending = false;
        queue.send_failure = failure;
        queue.from.bytes.reset();
        waiting = std::exchange(queue.writing, nullptr);
        over = waiting && (apply(*waiting, {failure, came.bytes}) || !write(queue, *waiting));
    }
    if (over)
        retire(*waiting); // after which the queue may be gone
    else if (queue.unregistered && queue.idle())
        release(std::unique_ptr<stream_queue>(&queue), queue.closing);
}

/// Destroys a queue now, or after its last completion. Windows frees its own part with the socket.
void rio_backend::release(std::unique_ptr<stream_queue> unused, bool closing) noexcept {
    if (unused->idle()) {
        --queues_;
        closing_ -= unused->unregistered && unused->closing ? 1 : 0;
        return;
    }
    unused->unregistered = true;
    unused->closing = closing;
    closing_ += closing ? 1 : 0;
    static_cast<void>(unused.release()); // found again by its completions
}

bool rio_backend::unregister(detail::descriptor& fd_state) noexcept {
    std::unique_ptr<stream_queue> queue(
        static_cast<stream_queue*>(std::exchange(fd_state.backend_object, nullptr)));
    if (queue && !fd_state.closing) {
        if (queue->receiving || queue->first < queue->last)
            warning(fmt::format("rio: {} leaves its loop after a read was cancelled: the bytes "
                                "of that read are lost",
                                describe(fd_state)));
    }
    if (queue)
        release(std::move(queue), fd_state.closing);
    return iocp_backend::unregister(fd_state);
}

void rio_backend::cancel(operation& op) noexcept {
    auto* const queue = static_cast<stream_queue*>(op.target().backend_object);
    if (queue && queue->reading == &op) {
        queue->reading = nullptr;
    } else if (queue && queue->writing == &op) {
        queue->writing = nullptr;
        op.target().write_cut_short = true;
    } else {
        return iocp_backend::cancel(op);
    }
    op.fail(detail::cancelled_code());
    retire(op);
}

void rio_backend::on_shutdown(detail::descriptor& fd_state, shutdown_direction direction) noexcept {
    auto* const queue = static_cast<stream_queue*>(fd_state.backend_object);
    if (!queue)
        return iocp_backend::on_shutdown(fd_state, direction);
    if (direction != shutdown_direction::write) {
        queue->shut = true;
        operation* const reading = std::exchange(queue->reading, nullptr);
        if (reading && !read(*queue, *reading))
            retire(*reading);
        else if (!reading && fd_state.in.active)
            iocp_backend::cancel(*fd_state.in.active);
    }
    if (direction != shutdown_direction::read) {
        if (queue->writing && queue->last_piece)
            return; // it goes out before the end does
        operation* const writing = std::exchange(queue->writing, nullptr);
        if (writing && apply(*writing, {WSAESHUTDOWN, 0}))
            retire(*writing);
        else if (!writing && fd_state.out.active)
            iocp_backend::cancel(*fd_state.out.active);
    }
}

std::unique_ptr<backend> detail::make_rio(const context_options&, std::string& reason) {
    auto made = std::make_unique<rio_backend>();
    return made->open_registered(reason) ? std::move(made) : nullptr;
}

} // namespace coracle
