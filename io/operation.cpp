// SPDX-License-Identifier: MIT
//
// What the operations make of a kernel's answers, the same for every kernel.
#include "operation.hpp"

#include "../memory/fatal.hpp"
#include "../memory/sanitize.hpp"
#include "../runtime/inspect.hpp"
#include "backend.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <type_traits>

namespace coracle {

// The buffers of a scattered read are looked at through the type of those of a gathered write.
static_assert(sizeof(mutable_buffer) == sizeof(const_buffer) &&
              std::is_standard_layout_v<mutable_buffer> && std::is_standard_layout_v<const_buffer>);

bool operation::submit(detail::promise_base& frame) noexcept {
    backend* const kernel = backend::current();
    if (!kernel)
        detail::fatal("an operation was awaited outside of coracle::run");
    if (frame.owner->cancelled()) {
        failure_ = detail::cancelled_code();
    } else if (!target_) {
        failure_ = std::make_error_code(std::errc::bad_file_descriptor);
    } else {
        begin(frame);
        if (kernel->start(*this))
            return true;
        resume_inline();
        loop::current().note_call();
    }
    return frame.owner->gives_way(frame);
}

void operation::interrupt() noexcept {
    if (interrupted_)
        return;
    interrupted_ = true;
    target_->owner->stop(*this);
}

void operation::describe(detail::leaf_notes& notes) const {
    notes.detail = fmt::format("descriptor {}", target_->handle);
    try {
        notes.detail +=
            fmt::format(", peer {}", to_string(target_->opened_by->peer_address(target_->handle)));
    } catch (const std::system_error&) {
        // A listener has no peer, and a connection that is being made has none yet.
    }
}

bool operation::advance(std::int64_t count) noexcept {
    if (code_ == opcode::accept) {
        done_ = count;
        return true;
    }
    note_written(count);
    done_ += count;
    if (done_ >= goal_)
        return true;
    if (count == 0 && inbound()) {
        if (done_ > 0)
            failure_ = make_error_code(error::unexpected_end);
        return true;
    }
    if (interrupted_) {
        fail(detail::cancelled_code());
        return true;
    }
    return false;
}

/// Memory checkers do not see what a kernel writes.
void operation::note_written(std::int64_t count) noexcept {
    auto left = static_cast<std::size_t>(count);
    if (code_ == opcode::read) {
        detail::mark_written(static_cast<transfer_operation*>(this)->data(), left);
    } else if (code_ == opcode::read_vector) {
        std::array<vector_operation::part, vector_operation::most_parts> parts;
        const std::size_t used = static_cast<vector_operation*>(this)->remaining(parts);
        for (std::size_t i = 0; i < used; ++i) {
            const std::size_t size = std::min(left, parts[i].size);
            detail::mark_written(parts[i].data, size);
            left -= size;
        }
    }
}

void operation::fail(std::error_code error) noexcept {
    failure_ = error;
    if (!inbound() && done_ > 0)
        target_->write_cut_short = true;
}

std::size_t vector_operation::remaining(std::span<part, most_parts> parts) const noexcept {
    std::size_t skipped = static_cast<std::size_t>(done_);
    std::size_t used = 0;
    for (std::size_t i = 0; i < count_ && used < parts.size(); ++i) {
        const const_buffer& buffer = buffers_[i];
        if (buffer.size() <= skipped) {
            skipped -= buffer.size();
            continue;
        }
        auto* const data = static_cast<const std::byte*>(buffer.data());
        parts[used++] = {const_cast<std::byte*>(data + skipped), buffer.size() - skipped};
        skipped = 0;
    }
    return used;
}

std::size_t vector_operation::total() const noexcept {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count_; ++i)
        bytes += buffers_[i].size();
    return bytes;
}

read_vector_operation::read_vector_operation(detail::descriptor* from,
                                             std::span<const mutable_buffer> into) noexcept
    : vector_operation(opcode::read_vector, from,
                       reinterpret_cast<const const_buffer*>(into.data()), into.size()) {
    if (total() == 0)
        settle(std::make_error_code(std::errc::invalid_argument));
}

write_vector_operation::write_vector_operation(detail::descriptor* to,
                                               std::span<const const_buffer> from) noexcept
    : vector_operation(opcode::write_vector, to, from.data(), from.size()) {
    goal_ = static_cast<std::int64_t>(total());
    if (goal_ == 0)
        settle();
}

accept_operation::accept_operation(detail::descriptor* from) noexcept
    : operation(opcode::accept, from), network_(from ? from->opened_by : nullptr) {
    done_ = no_handle;
}

result<socket> accept_operation::await_result() {
    end();
    if (failure())
        return failure();
    return socket(static_cast<native_handle>(done_), *network_);
}

} // namespace coracle
