// SPDX-License-Identifier: MIT
#include "backend.hpp"

#include "../memory/fatal.hpp"
#include "../runtime/diagnostics/warning.hpp"
#include "unused_sockets.hpp"
#include <fmt/format.h>
#include <utility>

namespace coracle {

namespace {

bool is_read(opcode code) noexcept {
    return code == opcode::read || code == opcode::read_vector;
}

bool is_write(opcode code) noexcept {
    return code == opcode::write || code == opcode::write_vector;
}

} // namespace

backend* backend::current() noexcept {
    return static_cast<backend*>(detail::this_thread.backend);
}

void backend::set_current(backend* now_current) noexcept {
    detail::this_thread.backend = now_current;
}

backend::~backend() {
    if (operations_in_flight() > 0)
        detail::fatal(
            fmt::format("a loop ended with {} operations in flight", operations_in_flight()));
    if (first_)
        detail::fatal("a backend ended before its descriptors were detached");
}

driver_totals backend::totals() const noexcept {
    return {operations_in_flight(), descriptors()};
}

bool backend::start(operation& op) noexcept {
    detail::descriptor& target = op.target();
    if (target.owner != this) {
        if (target.owner) {
            op.fail(error::wrong_loop);
            return false;
        }
        attach(target);
    }
    if (target.write_cut_short && is_write(op.code())) {
        op.fail(error::write_cut_short);
        return false;
    }
    detail::io_queue& queue = op.io_queue();
    if (is_read(op.code()) && (target.has_multishot_use || !queue.idle())) {
        op.fail(error::read_under_way);
        return false;
    }
    if (!queue.idle()) {
        if (op.code() == opcode::wait_readable) {
            op.fail(error::read_under_way);
            return false;
        }
        queue.waiting.push(op);
        return true;
    }
    queue.active = &op;
    if (submit(op) || op.next_step()) {
        in_flight_.add();
        return true;
    }
    queue.active = nullptr;
    return false;
}

void backend::retire(operation& op) noexcept {
    if (op.next_step())
        return;
    in_flight_.subtract();
    detail::descriptor& target = op.target();
    detail::io_queue& queue = op.io_queue();
    queue.active = nullptr;
    op.complete();
    while (operation* const next = queue.waiting.pop()) {
        if (start(*next))
            return;
        next->complete();
    }
    if (target.closing && target.idle())
        close_idle(target);
}

void backend::refuse(operation& op, std::string_view why) noexcept {
    const std::uint32_t bit = 1U << static_cast<unsigned>(op.code());
    if (!(std::exchange(refused_, refused_ | bit) & bit))
        warning(fmt::format("the backend {} does not support {} on descriptor {}: {}", name(),
                            to_string(op.code()), op.target().handle, why));
    op.fail(std::make_error_code(std::errc::operation_not_supported));
}

void backend::stop(operation& op) noexcept {
    if (op.io_queue().active == &op)
        return cancel(op);
    op.io_queue().waiting.remove(op);
    op.fail(detail::cancelled_code());
    op.complete();
}

void backend::close(detail::descriptor& fd_state) noexcept {
    fd_state.closing = true;
    ++closing_;
    for (detail::io_queue* const io_queue : {&fd_state.in, &fd_state.out}) {
        while (operation* const waiting = io_queue->waiting.pop()) {
            waiting->fail(detail::cancelled_code());
            waiting->complete();
        }
    }
    if (fd_state.idle())
        return close_idle(fd_state);
    for (operation* const active : {fd_state.in.active, fd_state.out.active}) {
        if (active)
            active->interrupt();
    }
}

void backend::close_idle(detail::descriptor& fd_state) noexcept {
    if (!unregister(fd_state))
        return;
    --closing_;
    const detail::descriptor_ref kept(&fd_state);
    unlink(fd_state);
    fd_state.close_handle();
}

void backend::on_unregistered(detail::descriptor& fd_state) noexcept {
    if (fd_state.closing && fd_state.idle())
        close_idle(fd_state);
}

void backend::retry_closing() noexcept {
    for_each_descriptor([this](detail::descriptor& each) { on_unregistered(each); });
}

void backend::list_sockets(std::vector<leak>& to) const {
    for (const detail::descriptor* each = first_; each; each = each->next) {
        if (!each->closing)
            to.push_back({"socket", describe(*each), each->where});
    }
    detail::list_unused(*this, to);
}

void backend::attach(detail::descriptor& fd_state) noexcept {
    detail::note_used(fd_state);
    ++fd_state.refs;
    fd_state.owner = this;
    fd_state.previous = nullptr;
    fd_state.next = first_;
    if (first_)
        first_->previous = &fd_state;
    first_ = &fd_state;
    descriptors_.add();
}

void backend::unlink(detail::descriptor& fd_state) noexcept {
    (fd_state.previous ? fd_state.previous->next : first_) = fd_state.next;
    if (fd_state.next)
        fd_state.next->previous = fd_state.previous;
    fd_state.owner = nullptr;
    fd_state.backend_object = nullptr;
    fd_state.backend_flags = {};
    descriptors_.subtract();
    --fd_state.refs; // the caller has one
}

void backend::detach(detail::descriptor& fd_state) noexcept {
    const detail::descriptor_ref kept(&fd_state);
    while (!unregister(fd_state))
        poll(time_point::max());
    unlink(fd_state);
}

void backend::finish_closing() {
    while (closing_ > 0)
        poll(time_point::max());
}

void backend::detach_all() noexcept {
    finish_closing();
    detail::forget_unused(*this);
    while (first_)
        detach(*first_);
}

} // namespace coracle
