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

#include "descriptor.hpp"
#include <cstddef>
#include <vector>

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

struct multishot {
    static void* operator new(std::size_t bytes);
    static void operator delete(void* block, std::size_t bytes) noexcept;

    bool wanted = false; // somebody has said that there will be more than one
    bool armed = false;  // the kernel has the request
    bool ending = false; // and has been asked to end it
    bool parked = false; // the operation of the inbound lane waits for what it brings

    connection_queue connections;
};

/// Wants the multishot of a descriptor for as long as it lives. One at a time for a descriptor.
class multishot_use {
public:
    multishot_use() noexcept = default;

    /// Throws std::system_error: device_or_resource_busy if there is another one,
    /// bad_file_descriptor if it is closed.
    explicit multishot_use(pin target);

    multishot_use(multishot_use&& other) noexcept = default;

    multishot_use& operator=(multishot_use&& other) noexcept {
        if (this != &other) {
            end();
            target_ = std::move(other.target_);
        }
        return *this;
    }

    ~multishot_use() { end(); }

    [[nodiscard]] const pin& target() const noexcept { return target_; }

    /// On the thread of the loop that uses the descriptor.
    void end() noexcept;

private:
    pin target_;
};

} // namespace coracle::detail
