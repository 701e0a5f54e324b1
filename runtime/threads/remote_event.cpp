// SPDX-License-Identifier: MIT
//
// What is posted keeps the state alive, so that it finds an event even if nobody waits any more.
#include "remote_event.hpp"

#include "../loop.hpp"

namespace coracle {

remote_event::remote_event() : state_(std::make_shared<state>(loop::current().handle())) {}

bool remote_event::set() const {
    const std::shared_ptr<state> kept = state_;
    return kept->home.post([kept] { kept->flag.set(); });
}

} // namespace coracle
