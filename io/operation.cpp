// SPDX-License-Identifier: MIT
//
// What the operations make of a kernel's answers, the same for every kernel.
#include "operation.hpp"

#include "../memory/fatal.hpp"
#include "../memory/sanitize.hpp"
#include "../runtime/diagnostics/inspect.hpp"
#include "backend.hpp"
#include <algorithm>

namespace coracle {

bool operation::submit(detail::promise_base& frame) noexcept {
    backend* const kernel = backend::current();
    if (!kernel)
        detail::no_loop_here("an operation was awaited outside of coracle::run");
    if (frame.owner->refuses(frame)) {
        failure_ = detail::cancelled_code();
    } else if (!target_ || !target_->open()) {
        failure_ = std::make_error_code(std::errc::bad_file_descriptor);
    } else if (!settled_) {
        begin(frame);
        if (kernel->start(*this))
            return true;
        resume_inline();
        loop::current().note_call();
    }
    return frame.owner->should_yield(frame);
}

void operation::interrupt() noexcept {
    if (interrupted_)
        return;
    interrupted_ = true;
    target_->owner->stop(*this);
}

void operation::fail_unless_cancelled() noexcept {
    if (failure_.code() == detail::cancelled_code())
        failure_ = std::make_error_code(std::errc::operation_canceled);
}

void operation::describe(detail::awaiter_notes& notes) const {
    notes.detail = detail::describe(*target_);
}

bool operation::advance(std::int64_t count) noexcept {
    if (code_ < opcode::read) {
        done_ = count;
        return true;
    }
    note_written(count);
    done_ += count;
    if (count == 0 && inbound()) {
        if (end_is_reset())
            failure_ = std::make_error_code(std::errc::connection_reset);
        else if (done_ > 0)
            failure_ = make_error_code(error::unexpected_end);
        return true;
    }
    if (done_ >= goal_)
        return true;
    if (interrupted_) {
        fail(detail::cancelled_code());
        return true;
    }
    return false;
}

/// Whether the end of the stream, which a read has met, is that of a reset connection. A kernel
/// tells a reset once, and may have told it to a write instead: one that has failed, or one that is
/// under way and has not been told of yet. Without one a connection that is over on both sides has
/// ended well, its own half by whatever means: `shutdown`, another library, an earlier owner. Where
/// a system hides resets only the first of these is known, and every end is asked about.
bool operation::end_is_reset() const noexcept {
    const detail::descriptor& target = *target_;
    const bool may_be_reset =
        target.reset_reported || target.out.active || target.opened_by->hides_resets();
    return may_be_reset && !target.write_ended && target.opened_by->was_reset(target.handle);
}

/// Memory checkers do not see what a kernel writes.
void operation::note_written(std::int64_t count) noexcept {
    auto left = static_cast<std::size_t>(count);
    if (code_ == opcode::read || code_ == opcode::try_read) {
        detail::mark_written(static_cast<transfer_operation*>(this)->data(), left);
    } else if (code_ == opcode::read_vector) {
        std::array<vector_operation::part, vector_operation::max_parts> parts;
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
    if (inbound())
        return;
    const bool cut_short = done_ > 0 && interrupted_;
    if (cut_short)
        target_->write_cut_short = true;
    if (error == std::errc::connection_reset)
        target_->reset_reported = true;
    // It may have been told to the part of a write that was done.
    const bool broken = error == std::errc::broken_pipe;
    if ((broken || cut_short) && !target_->write_ended &&
        target_->opened_by->was_reset(target_->handle)) {
        target_->reset_reported = true;
        if (broken)
            failure_ = std::make_error_code(std::errc::connection_reset);
    }
}

vector_operation::part vector_operation::part_at(std::size_t index) const noexcept {
    if (inbound()) {
        const mutable_buffer& into = static_cast<const mutable_buffer*>(buffers_)[index];
        return {into.data(), into.size()};
    }
    const const_buffer& from = static_cast<const const_buffer*>(buffers_)[index];
    return {const_cast<void*>(from.data()), from.size()};
}

std::size_t vector_operation::remaining(std::span<part, max_parts> parts) const noexcept {
    auto skipped = static_cast<std::size_t>(done_);
    std::size_t used = 0;
    for (std::size_t i = 0; i < count_ && used < parts.size(); ++i) {
        const part whole = part_at(i);
        if (whole.size <= skipped) {
            skipped -= whole.size;
            continue;
        }
        parts[used++] = {static_cast<std::byte*>(whole.data) + skipped, whole.size - skipped};
        skipped = 0;
    }
    return used;
}

std::size_t vector_operation::total() const noexcept {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count_; ++i)
        bytes += part_at(i).size;
    return bytes;
}

read_vector_operation::read_vector_operation(const detail::descriptor_ref& from,
                                             std::span<const mutable_buffer> into) noexcept
    : vector_operation(opcode::read_vector, from, into.data(), into.size()) {
    if (total() == 0)
        settle(std::make_error_code(std::errc::invalid_argument));
}

write_vector_operation::write_vector_operation(const detail::descriptor_ref& to,
                                               std::span<const const_buffer> from) noexcept
    : vector_operation(opcode::write_vector, to, from.data(), from.size()) {
    goal_ = static_cast<std::int64_t>(total());
    if (goal_ == 0)
        settle();
}

accept_operation::accept_operation(const detail::descriptor_ref& from, creation_site where) noexcept
    : operation(opcode::accept, from), where_(where) {
    done_ = no_handle;
}

result<socket> accept_operation::await_result() {
    end_operation();
    if (failure())
        return failure();
    return socket(static_cast<native_handle>(done_), *target().opened_by, where_);
}

} // namespace coracle
