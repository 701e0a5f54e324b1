// SPDX-License-Identifier: MIT
#include "event.hpp"

#include "../../memory/fatal.hpp"

namespace coracle {

event::~event() {
    if (first_)
        detail::fatal("an event was destroyed while jobs wait for it");
}

void event::set() noexcept {
    owner_.check("event::set");
    set_ = true;
    while (wait_operation* const waiting = first_) {
        waiting->unlink();
        waiting->wake();
    }
}

void event::wait_operation::link() noexcept {
    previous_ = event_->last_;
    (previous_ ? previous_->next_ : event_->first_) = this;
    event_->last_ = this;
}

void event::wait_operation::unlink() noexcept {
    (previous_ ? previous_->next_ : event_->first_) = next_;
    (next_ ? next_->previous_ : event_->last_) = previous_;
    next_ = nullptr;
    previous_ = nullptr;
}

} // namespace coracle
