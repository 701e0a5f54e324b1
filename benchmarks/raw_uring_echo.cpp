// SPDX-License-Identifier: MIT
//
// Two yardsticks: an echo server written by hand on io_uring, without any library but liburing.
//
// multishot     one armed receive for the life of a connection, which takes its buffers from a ring
//               of 256 x 2 KiB; a buffer goes back into the ring once its send has completed
// single-shot   receive into the connection's own buffer, then send, in turn
//
// Both submit and wait with one system call an iteration. A completion queue is drained and
// published before the next call. A connection is deleted when neither a receive nor a send is in
// flight.
#include "raw_server.hpp"

#include <array>
#include <cstddef>
#include <memory>

#include <liburing.h>

namespace {

using benchmark::fail;

constexpr unsigned buffer_count = 256;
constexpr unsigned buffer_size = 2048;
constexpr unsigned no_buffer = buffer_count;
constexpr unsigned short buffer_group = 0;
constexpr std::size_t own_buffer_size = 4096;

enum class mode { multishot, single_shot };

enum class request : std::uintptr_t { receive = 0, send = 1, accept = 2, mask = 3 };

struct connection {
    explicit connection(int accepted) : descriptor(accepted) {}

    int descriptor;
    bool closing = false;
    bool receiving = false; // armed, or owed because the buffers had run out
    bool sending = false;
    // Multishot: the received buffers in order, linked through the buffers' own table.
    unsigned first = no_buffer;
    unsigned last = no_buffer;
    // Single-shot: what of the connection's own buffer is not sent yet.
    std::size_t offset = 0;
    std::size_t length = 0;
    std::unique_ptr<std::byte[]> own_buffer;
};

/// The ring of provided buffers, and what the server knows of each one that it holds.
class buffer_ring {
public:
    struct held {
        unsigned next = no_buffer;
        unsigned offset = 0;
        unsigned length = 0;
    };

    explicit buffer_ring(io_uring& ring) {
        const std::size_t ring_bytes = buffer_count * sizeof(io_uring_buf);
        constexpr std::size_t page = 4096;
        void* memory = std::aligned_alloc(page, (ring_bytes + page - 1) / page * page);
        bytes_ = static_cast<std::byte*>(std::aligned_alloc(page, buffer_count * buffer_size));
        if (memory == nullptr || bytes_ == nullptr)
            fail("aligned_alloc", ENOMEM);
        std::memset(memory, 0, ring_bytes);
        ring_ = static_cast<io_uring_buf_ring*>(memory);
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
        registration.ring_entries = buffer_count;
        registration.bgid = buffer_group;
        const int error = io_uring_register_buf_ring(&ring, &registration, 0);
        if (error != 0)
            fail("io_uring_register_buf_ring", -error);
        io_uring_buf_ring_init(ring_);
        for (unsigned id = 0; id < buffer_count; ++id)
            give_back(id);
        publish();
    }

    void give_back(unsigned id) {
        io_uring_buf_ring_add(ring_, data(id), buffer_size, static_cast<unsigned short>(id),
                              io_uring_buf_ring_mask(buffer_count),
                              static_cast<int>(remote_frees_));
        ++remote_frees_;
        ++free_;
    }

    void publish() {
        if (remote_frees_ == 0)
            return;
        io_uring_buf_ring_advance(ring_, static_cast<int>(remote_frees_));
        remote_frees_ = 0;
    }

    void take(unsigned id, unsigned length) {
        --free_;
        held_[id] = {no_buffer, 0, length};
    }

    unsigned free() const { return free_; }

    std::byte* data(unsigned id) { return bytes_ + std::size_t{id} * buffer_size; }

    held& operator[](unsigned id) { return held_[id]; }

private:
    io_uring_buf_ring* ring_ = nullptr;
    std::byte* bytes_ = nullptr;
    unsigned free_ = 0;
    unsigned remote_frees_ = 0;
    std::array<held, buffer_count> held_;
};

class echo_server {
public:
    echo_server(int listener, mode chosen)
        : listener_(listener), mode_(chosen), buffers_(set_up(ring_)) {
        arm_accept();
    }

    [[noreturn]] void run() {
        for (;;) {
            const int result = io_uring_submit_and_wait(&ring_, 1);
            if (result < 0 && result != -EINTR && result != -EBUSY)
                fail("io_uring_submit_and_wait", -result);
            drain();
            buffers_.publish();
            arm_starved();
        }
    }

private:
    static io_uring& set_up(io_uring& ring) {
        io_uring_params parameters{};
        parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                           IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
        parameters.cq_entries = 4096;
        const int error = io_uring_queue_init_params(256, &ring, &parameters);
        if (error != 0)
            fail("io_uring_queue_init_params", -error);
        // Answers the number of registered descriptors: one.
        if (io_uring_register_ring_fd(&ring) != 1)
            fail("io_uring_register_ring_fd", EINVAL);
        return ring;
    }

    void drain() {
        unsigned head = 0;
        unsigned seen = 0;
        io_uring_cqe* completion = nullptr;
        io_uring_for_each_cqe(&ring_, head, completion) {
            ++seen;
            dispatch(*completion);
        }
        io_uring_cq_advance(&ring_, seen);
    }

    void dispatch(const io_uring_cqe& completion) {
        constexpr auto mask = static_cast<std::uintptr_t>(request::mask);
        const auto data = static_cast<std::uintptr_t>(completion.user_data);
        auto* peer = reinterpret_cast<connection*>(data & ~mask);
        switch (static_cast<request>(data & mask)) {
        case request::receive:
            return mode_ == mode::multishot ? on_multishot_receive(*peer, completion)
                                            : on_receive(*peer, completion.res);
        case request::send:
            return mode_ == mode::multishot ? on_buffer_sent(*peer, completion.res)
                                            : on_sent(*peer, completion.res);
        case request::accept:
        case request::mask:
            return on_accept(completion);
        }
    }

    io_uring_sqe* next_entry() {
        io_uring_sqe* entry = io_uring_get_sqe(&ring_);
        while (entry == nullptr) {
            const int result = io_uring_submit(&ring_);
            if (result < 0 && result != -EINTR && result != -EBUSY)
                fail("io_uring_submit", -result);
            entry = io_uring_get_sqe(&ring_);
        }
        return entry;
    }

    static void tag(io_uring_sqe* entry, connection* peer, request what) {
        const auto bits = reinterpret_cast<std::uintptr_t>(peer);
        entry->user_data = bits | static_cast<std::uintptr_t>(what);
    }

    void arm_accept() {
        io_uring_sqe* entry = next_entry();
        io_uring_prep_multishot_accept(entry, listener_, nullptr, nullptr, SOCK_CLOEXEC);
        tag(entry, nullptr, request::accept);
    }

    void on_accept(const io_uring_cqe& completion) {
        if (completion.res < 0)
            fail("accept", -completion.res);
        auto* peer = new connection(completion.res);
        if (mode_ != mode::multishot)
            peer->own_buffer = std::make_unique<std::byte[]>(own_buffer_size);
        arm_receive(*peer);
        if ((completion.flags & IORING_CQE_F_MORE) == 0)
            arm_accept();
    }

    void arm_receive(connection& peer) {
        io_uring_sqe* entry = next_entry();
        if (mode_ == mode::multishot) {
            io_uring_prep_recv_multishot(entry, peer.descriptor, nullptr, 0, 0);
            entry->flags |= IOSQE_BUFFER_SELECT;
            entry->buf_group = buffer_group;
        } else {
            io_uring_prep_recv(entry, peer.descriptor, peer.own_buffer.get(), own_buffer_size, 0);
        }
        tag(entry, &peer, request::receive);
        peer.receiving = true;
    }

    void send(connection& peer, const std::byte* bytes, std::size_t length) {
        io_uring_sqe* entry = next_entry();
        io_uring_prep_send(entry, peer.descriptor, bytes, length, MSG_WAITALL | MSG_NOSIGNAL);
        tag(entry, &peer, request::send);
        peer.sending = true;
    }

    void close_if_idle(connection& peer) {
        if (!peer.closing || peer.receiving || peer.sending)
            return;
        close(peer.descriptor);
        delete &peer;
    }

    // After a failed send: the receive in flight has to end before anything can be released.
    void abandon(connection& peer) {
        peer.closing = true;
        shutdown(peer.descriptor, SHUT_RDWR);
        close_if_idle(peer);
    }

    // multishot

    void on_multishot_receive(connection& peer, const io_uring_cqe& completion) {
        const bool armed = (completion.flags & IORING_CQE_F_MORE) != 0;
        if (completion.res > 0) {
            benchmark::count_request();
            enqueue(peer, completion.flags >> IORING_CQE_BUFFER_SHIFT,
                    static_cast<unsigned>(completion.res));
            if (!armed)
                arm_receive(peer);
        } else if (completion.res == -ENOBUFS) {
            starved_.push_back(&peer);
        } else {
            peer.receiving = false;
            peer.closing = true;
            close_if_idle(peer);
        }
    }

    void enqueue(connection& peer, unsigned id, unsigned length) {
        buffers_.take(id, length);
        // Two sends at once on one socket could interleave: the second waits for the first.
        if (peer.first == no_buffer)
            peer.first = id;
        else
            buffers_[peer.last].next = id;
        peer.last = id;
        if (!peer.sending)
            send_first(peer);
    }

    void send_first(connection& peer) {
        const buffer_ring::held& first = buffers_[peer.first];
        send(peer, buffers_.data(peer.first) + first.offset, first.length - first.offset);
    }

    void on_buffer_sent(connection& peer, int result) {
        peer.sending = false;
        buffer_ring::held& first = buffers_[peer.first];
        if (result > 0)
            first.offset += static_cast<unsigned>(result);
        if (result > 0 && first.offset < first.length)
            return send_first(peer);
        if (result <= 0) {
            while (peer.first != no_buffer)
                release_first(peer);
            return abandon(peer);
        }
        release_first(peer);
        if (peer.first != no_buffer)
            return send_first(peer);
        close_if_idle(peer);
    }

    void release_first(connection& peer) {
        const unsigned next = buffers_[peer.first].next;
        buffers_.give_back(peer.first);
        peer.first = next;
    }

    // A receive armed without a free buffer fails at once, so it waits for one to come back.
    void arm_starved() {
        for (unsigned free = buffers_.free(); free > 0 && !starved_.empty(); --free) {
            connection& peer = *starved_.back();
            starved_.pop_back();
            if (peer.closing) {
                peer.receiving = false;
                close_if_idle(peer);
            } else {
                arm_receive(peer);
            }
        }
    }

    // single-shot

    void on_receive(connection& peer, int result) {
        peer.receiving = false;
        if (result <= 0) {
            peer.closing = true;
            return close_if_idle(peer);
        }
        benchmark::count_request();
        peer.offset = 0;
        peer.length = static_cast<std::size_t>(result);
        send_rest(peer);
    }

    void send_rest(connection& peer) {
        send(peer, peer.own_buffer.get() + peer.offset, peer.length - peer.offset);
    }

    void on_sent(connection& peer, int result) {
        peer.sending = false;
        if (result <= 0)
            return abandon(peer);
        peer.offset += static_cast<std::size_t>(result);
        if (peer.offset < peer.length)
            return send_rest(peer);
        arm_receive(peer);
    }

    io_uring ring_;
    int listener_;
    mode mode_;
    buffer_ring buffers_;
    std::vector<connection*> starved_;
};

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned port = arguments.take_number("--port", 0);
    const bool single_shot = arguments.take_flag("--single-shot");
    const mode chosen = single_shot ? mode::single_shot : mode::multishot;
    benchmark::report_at_end(arguments.take_number("--seconds", 120));
    arguments.finish();
    benchmark::raise_descriptor_limit();
    echo_server server(benchmark::listen_on_loopback(port), chosen);
    server.run();
}
