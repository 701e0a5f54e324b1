// SPDX-License-Identifier: MIT
//
// operation: one request to a kernel. The awaitable is the operation; it lives in the awaiting
// frame.
//
// What holds for all of them, so that a docstring names only what deviates:
//
// shape    sizes are in bytes; a buffer of 0 bytes is refused by reads (invalid_argument), since 0
//          means end of stream, and writes of nothing are done at once
// errors   std::system_error when awaited, a result with as_result; operation_canceled when the job
//          was cancelled before it was done; any code of the operating system is passed on
//          unchanged; what comes late but well is a success, also of a cancelled operation
// owns     nothing: buffers are borrowed until the operation resumes
// threads  on the thread of the loop that awaits; a socket keeps to the loop that used it first
// life     neither copied nor moved once awaited; it retires only when the kernel has done with it,
//          and destroying its frame before that stops the program with a message
#pragma once

#include "../runtime/loop.hpp"
#include "../runtime/result.hpp"
#include "buffer.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "socket.hpp"
#include "windows/native_storage.hpp"
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

namespace coracle {

enum class opcode : std::uint8_t {
    accept,
    wait_readable, // done when a read would not wait: there are bytes, an end or an error
    read,
    try_read, // fails with resource_unavailable_try_again where a read would wait
    read_vector,
    connect,
    write,
    write_vector,
};

[[nodiscard]] constexpr const char* to_string(opcode code) noexcept {
    switch (code) {
    case opcode::accept:
        return "accept";
    case opcode::wait_readable:
        return "wait_readable";
    case opcode::read:
    case opcode::try_read:
    case opcode::read_vector:
        return "read";
    case opcode::connect:
        return "connect";
    case opcode::write:
    case opcode::write_vector:
        return "write";
    }
    return "operation";
}

class operation : public awaiter {
public:
    [[nodiscard]] static constexpr bool await_ready() noexcept { return false; }

    template <std::derived_from<detail::promise_base> Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        return submit(awaiting.promise());
    }

    [[nodiscard]] opcode code() const noexcept { return code_; }

    [[nodiscard]] detail::descriptor& target() const noexcept { return *target_; }

    void interrupt() noexcept override;
    void describe(detail::awaiter_notes& notes) const override;

    // The rest is for backends.

    /// The kernel did a part or all of it: `count` bytes, or the handle that came. True if it is
    /// done; false if the rest must be submitted again.
    [[nodiscard]] bool advance(std::int64_t count) noexcept;

    /// The kernel refused it.
    void fail(std::error_code error) noexcept;

    /// One request is done. An operation that is made of several gives its backend the next one,
    /// and stays active in its queue. False if that was the last.
    [[nodiscard]] virtual bool next_step() noexcept { return false; }

    /// Somebody has asked for its end.
    [[nodiscard]] bool interrupted() const noexcept { return interrupted_; }

    /// It has retired: its job becomes ready.
    void complete() noexcept { wake(); }

    /// Whether it takes from the socket, as reads and accepts do.
    [[nodiscard]] bool inbound() const noexcept { return code_ < opcode::connect; }

    [[nodiscard]] detail::io_queue& io_queue() const noexcept {
        return inbound() ? target_->in : target_->out;
    }

    // In the operation_queue that it is in.
    operation* next = nullptr;
    operation* previous = nullptr;

    [[no_unique_address]] detail::operation_storage storage; // for what the kernel writes to

protected:
    operation(opcode code, detail::descriptor_ref target) noexcept
        : operation(code, std::move(target), to_string(code)) {}

    operation(opcode code, detail::descriptor_ref target, const char* kind) noexcept
        : awaiter(kind), target_(std::move(target)), code_(code) {}

    operation(operation&&) noexcept = default;
    ~operation() = default;

    /// Nothing to ask a kernel for: done, or refused.
    void settle(std::error_code error = {}) noexcept {
        settled_ = true;
        failure_ = error;
    }

    /// Ends the wait. What has ended without its job being cancelled, because its socket was
    /// closed, is no cancellation: it fails with what the system calls so.
    void end_operation() noexcept {
        if (failure_ && waiter() && !waiter()->cancelled()) [[unlikely]]
            fail_unless_cancelled();
        end();
    }

    /// Ends the wait and tells how it went, with the number of bytes or without.
    [[nodiscard]] result<std::size_t> end_with_count() noexcept {
        end_operation();
        if (failure_)
            return failure_;
        return static_cast<std::size_t>(done_);
    }

    [[nodiscard]] result<void> end_with_nothing() noexcept {
        end_operation();
        return failure_;
    }

    [[nodiscard]] detail::failure failure() const noexcept { return failure_; }

    /// What the next step asks for.
    void become(opcode code) noexcept {
        code_ = code;
        failure_ = {};
        done_ = 0;
    }

    std::int64_t done_ = 0; // bytes so far, or the handle
    std::int64_t goal_ = 0; // bytes that must be done; 0: whatever comes

private:
    [[nodiscard]] bool submit(detail::promise_base& frame) noexcept;
    [[nodiscard]] bool end_is_reset() const noexcept;
    void note_written(std::int64_t count) noexcept;
    void fail_unless_cancelled() noexcept;

    detail::descriptor_ref target_;
    [[no_unique_address]] detail::failure failure_; // the next three stand in its padding
    opcode code_;
    bool settled_ = false;
    bool interrupted_ = false;
};

/// Bytes to or from one buffer.
class transfer_operation : public operation {
public:
    /// What is still to be done.
    [[nodiscard]] std::byte* data() const noexcept { return data_ + done_; }

    [[nodiscard]] std::size_t size() const noexcept {
        return size_ - static_cast<std::size_t>(done_);
    }

protected:
    transfer_operation(opcode code, const detail::descriptor_ref& target, const void* data,
                       std::size_t size)
        : transfer_operation(code, target, data, size, to_string(code)) {}

    transfer_operation(opcode code, const detail::descriptor_ref& target, const void* data,
                       std::size_t size, const char* kind)
        : operation(code, target, kind),
          data_(const_cast<std::byte*>(static_cast<const std::byte*>(data))), size_(size) {}

    void use_buffer(std::byte* data, std::size_t size) noexcept {
        data_ = data;
        size_ = size;
    }

private:
    std::byte* data_;
    std::size_t size_;
};

/// Bytes to or from several buffers, a few at a time.
class vector_operation : public operation {
public:
    static constexpr std::size_t max_parts = 8; // handed to the kernel at once

    struct part {
        void* data;
        std::size_t size;
    };

    /// The first parts of what is still to be done.
    [[nodiscard]] std::size_t remaining(std::span<part, max_parts> parts) const noexcept;

    /// Where a backend keeps what it hands to the kernel, for as long as that needs it.
    struct alignas(8) scratch_space {
        std::array<part, max_parts> parts;
        std::array<std::byte, 64> header;
    };

    scratch_space scratch;

protected:
    vector_operation(opcode code, const detail::descriptor_ref& target, const void* buffers,
                     std::size_t count) noexcept
        : operation(code, target), buffers_(buffers), count_(count) {}

    [[nodiscard]] std::size_t total() const noexcept;

private:
    [[nodiscard]] part part_at(std::size_t index) const noexcept;

    const void* buffers_; // of mutable_buffer for a read, of const_buffer for a write
    std::size_t count_;
};

/// The awaitable of stream::read and read_exactly. Gives the number of bytes.
class [[nodiscard]] read_operation : public transfer_operation {
public:
    read_operation(const detail::descriptor_ref& from, mutable_buffer into, bool exactly) noexcept
        : transfer_operation(opcode::read, from, into.data(), into.size()) {
        if (exactly)
            goal_ = static_cast<std::int64_t>(into.size());
        if (into.size() == 0)
            settle(std::make_error_code(std::errc::invalid_argument));
    }

    std::size_t await_resume() { return await_result().value(); }

    [[nodiscard]] result<std::size_t> await_result() noexcept { return end_with_count(); }
};

/// The awaitable of stream::read of several buffers. Gives the number of bytes.
class [[nodiscard]] read_vector_operation : public vector_operation {
public:
    read_vector_operation(const detail::descriptor_ref& from,
                          std::span<const mutable_buffer> into) noexcept;

    std::size_t await_resume() { return await_result().value(); }

    [[nodiscard]] result<std::size_t> await_result() noexcept { return end_with_count(); }
};

/// The awaitable of stream::write.
class [[nodiscard]] write_operation : public transfer_operation {
public:
    write_operation(const detail::descriptor_ref& to, const_buffer from) noexcept
        : transfer_operation(opcode::write, to, from.data(), from.size()) {
        goal_ = static_cast<std::int64_t>(from.size());
        if (from.size() == 0)
            settle();
    }

    void await_resume() { await_result().value(); }

    [[nodiscard]] result<void> await_result() noexcept { return end_with_nothing(); }
};

/// The awaitable of stream::write of several buffers.
class [[nodiscard]] write_vector_operation : public vector_operation {
public:
    write_vector_operation(const detail::descriptor_ref& to,
                           std::span<const const_buffer> from) noexcept;

    void await_resume() { await_result().value(); }

    [[nodiscard]] result<void> await_result() noexcept { return end_with_nothing(); }
};

/// Gives the handle of the next connection, as a socket.
class [[nodiscard]] accept_operation : public operation {
public:
    explicit accept_operation(const detail::descriptor_ref& from,
                              creation_site where = {}) noexcept;

    [[nodiscard]] socket await_resume() { return await_result().value(); }

    [[nodiscard]] result<socket> await_result();

    [[no_unique_address]] detail::accept_storage answer; // for what the kernel writes to

private:
    [[no_unique_address]] creation_site where_; // the socket
};

class [[nodiscard]] connect_operation : public operation {
public:
    connect_operation(const detail::descriptor_ref& from, const address& peer) noexcept
        : operation(opcode::connect, from), peer_(peer) {}

    void await_resume() { await_result().value(); }

    [[nodiscard]] result<void> await_result() noexcept { return end_with_nothing(); }

    [[nodiscard]] const address& peer() const noexcept { return peer_; }

    bool under_way = false; // for backends: the kernel has begun to connect

    alignas(8) std::array<std::byte, 32> scratch; // for the platform's form of the address

private:
    address peer_;
};

} // namespace coracle
