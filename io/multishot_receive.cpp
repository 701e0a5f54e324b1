// SPDX-License-Identifier: MIT
#include "multishot_receive.hpp"

#include "../memory/sanitize.hpp"
#include "../runtime/diagnostics/inspect.hpp"
#include "backend.hpp"

namespace coracle {

result<buffer_lease> receive_operation::await_result() {
    end();
    buffer_lease bytes = std::move(buffer_);
    if (failure())
        return failure();
    if (done_ == 0)
        return buffer_lease();
    bytes.resize(static_cast<std::size_t>(done_));
    return bytes;
}

void receive_operation::interrupt() noexcept {
    if (!starved_)
        return operation::interrupt();
    pool_->stop_waiting(*this);
    starved_ = false;
    fail(detail::cancelled_code());
    target().owner->finish(*this);
}

void receive_operation::describe(detail::awaiter_notes& notes) const {
    operation::describe(notes);
    if (starved_)
        notes.detail += ", bytes are there, but no buffer is";
}

bool receive_operation::arrived() noexcept {
    if (interrupted()) {
        fail(detail::cancelled_code());
        return true;
    }
    starved_ = !borrow();
    return starved_;
}

bool receive_operation::borrow() noexcept {
    buffer_lease spare = pool_->try_lease(where());
    if (spare)
        read_into(std::move(spare));
    return !arriving_;
}

void receive_operation::give_back() noexcept {
    arriving_ = true;
    buffer_.reset();
    use_buffer(nullptr, 0);
}

void receive_operation::on_buffer(buffer_lease given) noexcept {
    starved_ = false;
    read_into(std::move(given));
    target().owner->go_on(*this);
}

void receive_operation::read_into(buffer_lease given) noexcept {
    arriving_ = false;
    buffer_ = std::move(given);
    use_buffer(buffer_.data(), buffer_.size());
}

void receive_operation::deliver(buffer_lease bytes) noexcept {
    arriving_ = false;
    detail::mark_written(bytes.data(), bytes.size());
    done_ = static_cast<std::int64_t>(bytes.size());
    buffer_ = std::move(bytes);
}

void receive_operation::deliver_end() noexcept {
    arriving_ = false;
    static_cast<void>(advance(0));
}

} // namespace coracle
