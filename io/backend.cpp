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
            fmt::format("the {} operations of a loop outlive it", operations_in_flight()));
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
    if (is_read(op.code()) && (target.many || !queue.idle())) {
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

void backend::refuse(operation& unsupported, std::string_view why) noexcept {
    const std::uint32_t bit = 1U << static_cast<unsigned>(unsupported.code());
    if (!(std::exchange(refused_, refused_ | bit) & bit))
        warning(fmt::format("the backend {} does not support {} on descriptor {}: {}", name(),
                            to_string(unsupported.code()), unsupported.target().handle, why));
    unsupported.fail(std::make_error_code(std::errc::operation_not_supported));
}

void backend::stop(operation& op) noexcept {
    if (op.io_queue().active == &op)
        return cancel(op);
    op.io_queue().waiting.remove(op);
    op.fail(detail::cancelled_code());
    op.complete();
}

void backend::close(detail::descriptor& closed) noexcept {
    closed.closing = true;
    ++closing_;
    for (detail::io_queue* const io_queue : {&closed.in, &closed.out}) {
        while (operation* const waiting = io_queue->waiting.pop()) {
            waiting->fail(detail::cancelled_code());
            waiting->complete();
        }
    }
    if (closed.idle())
        return close_idle(closed);
    for (operation* const active : {closed.in.active, closed.out.active}) {
        if (active)
            active->interrupt();
    }
}

void backend::close_idle(detail::descriptor& closed) noexcept {
    if (!unregister(closed))
        return;
    --closing_;
    const detail::descriptor_ref kept(&closed);
    unlink(closed);
    closed.close_handle();
}

void backend::on_unregistered(detail::descriptor& known) noexcept {
    if (known.closing && known.idle())
        close_idle(known);
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

void backend::attach(detail::descriptor& added) noexcept {
    detail::note_used(added);
    ++added.refs;
    added.owner = this;
    added.previous = nullptr;
    added.next = first_;
    if (first_)
        first_->previous = &added;
    first_ = &added;
    descriptors_.add();
}

void backend::unlink(detail::descriptor& known) noexcept {
    (known.previous ? known.previous->next : first_) = known.next;
    if (known.next)
        known.next->previous = known.previous;
    known.owner = nullptr;
    known.backend_object = nullptr;
    known.backend_flags = {};
    descriptors_.subtract();
    --known.refs; // the caller has one
}

void backend::detach(detail::descriptor& known) noexcept {
    const detail::descriptor_ref kept(&known);
    while (!unregister(known))
        poll(time_point::max());
    unlink(known);
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
