// SPDX-License-Identifier: MIT
//
// descriptor: a handle and what is known of it, in a place of its own that does not move.
//
// A socket object owns one and may be moved; operations and kernels refer to it. It has two queues,
// one for each direction, and at most one operation in an io_queue is with the kernel: so two
// writes never interleave, and closing knows what is still under way. A descriptor whose socket is
// gone lives on, closing, until its last operation has retired; only then is the handle closed, so
// no operation can meet a recycled one.
#pragma once

#include "../runtime/diagnostics/creation_site.hpp"
#include "network.hpp"
#include "operation_queue.hpp"
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace coracle {

struct backend;

namespace detail {

/// The operations of one direction: one that is under way, and those that wait for their turn.
struct io_queue {
    [[nodiscard]] bool idle() const noexcept { return !active; }

    operation* active = nullptr;
    operation_queue waiting;
};

/// Lives for as long as a descriptor_ref holds it: the socket has one, and each operation made for
/// it, so that an operation that is awaited late finds a closed descriptor and not a freed one.
struct descriptor {
    descriptor(native_handle opened, network& by, creation_site where) noexcept;
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    static void* operator new(std::size_t bytes);
    static void operator delete(void* block, std::size_t bytes) noexcept;

    [[nodiscard]] bool idle() const noexcept { return in.idle() && out.idle(); }

    /// Whether operations can still be started on it.
    [[nodiscard]] bool open() const noexcept { return handle != no_handle && !closing; }

    /// Whether calls on the handle block is from now on as it was found.
    [[nodiscard]] std::error_code restore_blocking() noexcept;

    /// Closes the handle, and leaves to others who share it what they had.
    void close_handle() noexcept;

    native_handle handle; // no_handle once it is closed
    network* opened_by;
    backend* owner = nullptr; // the one that has seen an operation of it; it keeps to that one
    descriptor* next = nullptr;
    descriptor* previous = nullptr; // among those of its owner
    io_queue in;                    // read, accept
    io_queue out;                   // write, connect
    void* backend_object = nullptr; // its owner's own, as are backend_flags

    // Where the socket was made, and where it is listed until it is used: see unused_sockets.hpp.
    [[no_unique_address]] creation_site where;
    std::atomic<backend*> unused_in = nullptr;

    std::uint32_t refs = 0;
    bool closing = false;         // the socket is gone, operations are not
    bool write_cut_short = false; // a part of a write went out, and the rest never will
    bool write_ended = false;     // by shutdown: the connection can then end without a reset
    bool reset_reported = false;  // by a failed write: the next read gets the end of stream
    bool shortage_warned = false; // accepting met EMFILE or the like, and has warned once

    bool non_blocking = false;          // O_NONBLOCK, as far as a backend knows
    bool blocking_changed = false;      // a backend has set or cleared O_NONBLOCK
    bool original_non_blocking = false; // O_NONBLOCK before that change
    bool adopted = false;               // other processes or libraries may share the handle
    bool has_multishot_use = false;     // an accept_many or a receive_many object exists
    std::array<bool, 6> backend_flags = {};
};

/// As "descriptor 7, peer 127.0.0.1:4000": with the address of the peer, or its own without one.
[[nodiscard]] std::string describe(const descriptor& fd_state);

/// Holds a descriptor.
class descriptor_ref {
public:
    descriptor_ref() noexcept = default;

    explicit descriptor_ref(descriptor* held) noexcept : held_(held) {
        if (held_)
            ++held_->refs;
    }

    descriptor_ref(const descriptor_ref& other) noexcept : descriptor_ref(other.held_) {}

    descriptor_ref(descriptor_ref&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}

    descriptor_ref& operator=(descriptor_ref other) noexcept {
        std::swap(held_, other.held_);
        return *this;
    }

    ~descriptor_ref() {
        if (held_ && --held_->refs == 0)
            delete held_;
    }

    [[nodiscard]] descriptor* get() const noexcept { return held_; }

    [[nodiscard]] descriptor& operator*() const noexcept { return *held_; }

    [[nodiscard]] descriptor* operator->() const noexcept { return held_; }

    [[nodiscard]] explicit operator bool() const noexcept { return held_ != nullptr; }

private:
    descriptor* held_ = nullptr;
};

} // namespace detail

} // namespace coracle
