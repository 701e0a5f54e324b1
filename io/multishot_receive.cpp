// SPDX-License-Identifier: MIT
#include "multishot_receive.hpp"

#include "../memory/sanitize.hpp"
#include "../runtime/diagnostics/inspect.hpp"
#include "backend.hpp"

namespace coracle {

result<buffer_lease> receive_operation::await_result() {
    end_operation();
    buffer_lease bytes = std::move(buffer_);
    if (failure())
        return failure();
    if (done_ == 0)
        return buffer_lease();
    bytes.resize(static_cast<std::size_t>(done_));
    return bytes;
}

void receive_operation::interrupt() noexcept {
    if (!waits_for_buffer_)
        return operation::interrupt();
    pool_->stop_waiting(*this);
    waits_for_buffer_ = false;
    fail(detail::cancelled_code());
    target().owner->retire(*this);
}

void receive_operation::describe(detail::awaiter_notes& notes) const {
    operation::describe(notes);
    if (waits_for_buffer_)
        notes.detail += ", bytes are there, but no buffer is";
}

bool receive_operation::next_step() noexcept {
    for (;;) {
        if (code() == opcode::wait_readable) {
            if (failure() || take_received())
                return false;
            if (interrupted()) {
                fail(detail::cancelled_code());
                return false;
            }
            buffer_ = pool_->try_lease(where());
            if (!buffer_) {
                waits_for_buffer_ = true;
                pool_->wait(*this);
                return true;
            }
            read_into_buffer();
        } else if (failure() && failure().code() == std::errc::resource_unavailable_try_again) {
            buffer_.reset(); // an idle stream holds none
            become(opcode::wait_readable);
        } else {
            return false;
        }
        if (target().owner->submit(*this))
            return true;
    }
}

/// Whether the kernel has brought something already, which ends the operation.
bool receive_operation::take_received() noexcept {
    detail::multishot_source* const source = target().owner->optional().multishot;
    if (!source)
        return false;
    std::optional<result<buffer_lease>> received = source->take(target());
    if (!received)
        return false;
    if (!*received) {
        fail(received->error());
        return true;
    }
    become(opcode::try_read);
    buffer_ = std::move(**received);
    if (!buffer_) {
        static_cast<void>(advance(0));
        return true;
    }
    detail::mark_written(buffer_.data(), buffer_.size());
    done_ = static_cast<std::int64_t>(buffer_.size());
    return true;
}

void receive_operation::on_buffer(buffer_lease given) noexcept {
    waits_for_buffer_ = false;
    buffer_ = std::move(given);
    read_into_buffer();
    backend& owner = *target().owner;
    if (!owner.submit(*this))
        owner.retire(*this);
}

void receive_operation::read_into_buffer() noexcept {
    become(opcode::try_read);
    use_buffer(buffer_.data(), buffer_.size());
}

} // namespace coracle
