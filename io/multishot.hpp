// SPDX-License-Identifier: MIT
//
// multishot: one request that goes on and on: the connections of a listener, or the bytes of a
// stream, come without being asked for each time. Kept with the descriptor, since the kernel may go
// on bringing some when those who wanted them have gone.
//
// Only a backend whose kernel can do it uses this; elsewhere every accept and read asks for itself,
// with the same results. Invariants: what has come and was not taken is here and nowhere else, in
// order, and later accepts and reads take it before they ask the kernel; it is given back when the
// descriptor is closed, and that waits for as long as the request is armed.
#pragma once

#include "buffer_pool.hpp"
#include "descriptor.hpp"
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace coracle::uring {

class buffer_group;

} // namespace coracle::uring

namespace coracle::detail {

/// Connections that were accepted and that nobody has taken yet.
class connection_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return taken_ == handles_.size(); }

    [[nodiscard]] std::size_t size() const noexcept { return handles_.size() - taken_; }

    /// Throws std::bad_alloc; keeps its room, so that it does not allocate in the long run.
    void push(native_handle accepted);

    /// Of a queue that is not empty.
    [[nodiscard]] native_handle pop() noexcept;

private:
    std::vector<native_handle> handles_;
    std::size_t taken_ = 0; // of these, from the front
};

/// Bytes that were received and that nobody has taken yet.
struct received_bytes {
    buffer_lease buffer;
    std::size_t taken = 0; // of these, from the front
    received_bytes* next = nullptr;
    received_bytes** home = nullptr; // the list of free ones that it is from
    bool lent = false;               // the kernel is still to fill it

    [[nodiscard]] std::span<const std::byte> left() const noexcept {
        return std::span<const std::byte>(buffer.data(), buffer.size()).subspan(taken);
    }

    /// The buffer, with what is left at its begin.
    [[nodiscard]] buffer_lease release() noexcept;

    /// Gives the buffer back, if it still has one, and the room for it.
    void give_back() noexcept;
};

/// Copies bytes to where a read wants them. Returns how many it has taken.
[[nodiscard]] std::size_t copy_into(operation& read, std::span<const std::byte> bytes) noexcept;

/// In the order in which they came. Intrusive: a backend keeps what is in it.
class received_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return !first_; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] received_bytes* first() const noexcept { return first_; }

    void push(received_bytes& added) noexcept;
    void pop() noexcept;

private:
    received_bytes* first_ = nullptr;
    received_bytes* last_ = nullptr;
    std::size_t size_ = 0;
};

struct multishot {
    static void* operator new(std::size_t bytes);
    static void operator delete(void* block, std::size_t bytes) noexcept;

    bool wanted = false; // somebody has said that there will be more than one
    bool armed = false;  // the kernel has the request
    bool ending = false; // and has been asked to end it
    bool parked = false; // the operation of the inbound io_queue waits for what it brings
    bool was_armed = false;

    int failure = 0; // of a stream: what has ended it, and was told nobody yet

    buffer_pool* pool = nullptr;             // of a stream: where the buffers are to come from
    uring::buffer_group* group = nullptr;    // and of the request that is armed

    std::unique_ptr<connection_queue> connections; // of a listener
    received_queue bytes;
};

/// Wants the multishot of a descriptor for as long as it lives. One at a time for a descriptor.
class multishot_use {
public:
    multishot_use() noexcept = default;

    /// Throws std::system_error: device_or_resource_busy if there is another one,
    /// bad_file_descriptor if it is closed.
    explicit multishot_use(descriptor_ref target, buffer_pool* into = nullptr);

    multishot_use(multishot_use&& other) noexcept = default;

    multishot_use& operator=(multishot_use&& other) noexcept {
        if (this != &other) {
            end();
            target_ = std::move(other.target_);
            into_ = other.into_;
        }
        return *this;
    }

    ~multishot_use() { end(); }

    [[nodiscard]] const descriptor_ref& target() const noexcept { return target_; }

    [[nodiscard]] buffer_pool& into() const noexcept { return *into_; }

    /// On the thread of the loop that uses the descriptor.
    void end() noexcept;

private:
    descriptor_ref target_;
    buffer_pool* into_ = nullptr; // of a stream
};

} // namespace coracle::detail
