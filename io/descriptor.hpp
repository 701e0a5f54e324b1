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
#include "windows/native_storage.hpp"
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace coracle {

struct backend;
class operation;

namespace detail {

struct multishot;

/// Operations that wait for something, in order. Intrusive: an operation is in one at most. The
/// last one leads back to the first, since every connection has two of these.
class operation_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return !last_; }

    void push(operation& added) noexcept;
    void push_front(operation& added) noexcept;
    [[nodiscard]] operation* pop() noexcept;

    /// Takes an operation out of the queue. False if it is not in it.
    bool remove(operation& removed) noexcept;

private:
    void unlink_after(operation& before) noexcept;

    operation* last_ = nullptr;
};

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
    ~descriptor();

    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    static void* operator new(std::size_t bytes);
    static void operator delete(void* block, std::size_t bytes) noexcept;

    [[nodiscard]] bool idle() const noexcept { return in.idle() && out.idle(); }

    /// Whether operations can still be started on it.
    [[nodiscard]] bool open() const noexcept { return handle != no_handle && !closing; }

    native_handle handle; // no_handle once it is closed
    network* opened_by;
    backend* owner = nullptr; // the one that has seen an operation of it; it keeps to that one
    descriptor* next = nullptr;
    descriptor* previous = nullptr;   // among those of its owner
    io_queue in;                      // read, accept
    io_queue out;                     // write, connect
    std::unique_ptr<multishot> shots; // if it has ever been wanted
    [[no_unique_address]] descriptor_storage storage;

    // Where the socket was made, and where it is listed until it is used: see unused_sockets.hpp.
    [[no_unique_address]] creation_site where;
    std::atomic<backend*> unused_in = nullptr;

    std::uint32_t refs = 0;
    bool closing = false;         // the socket is gone, operations are not
    bool write_cut_short = false; // a part of a write went out, and the rest never will
    bool write_ended = false;     // by shutdown: the connection can then end without a reset
    bool starved = false;         // a listener that has said that descriptors have run out

    // For backends that are told of readiness.
    bool registered = false;
    bool non_blocking = false;
    bool readable = true; // unless the kernel said otherwise
    bool writable = true;
    bool hung_up = false;       // the end of the stream is near: a short read does not mean empty
    bool read_before = false;   // it is worth while to be told when it is readable again
    bool read_parked = false;   // its read waits for that, and is not with the kernel
    bool unregistering = false; // being registered is about to end
};

/// As "descriptor 7, peer 127.0.0.1:4000": with the address of the peer, or its own without one.
[[nodiscard]] std::string describe(const descriptor& named);

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
