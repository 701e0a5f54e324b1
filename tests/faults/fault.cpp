// SPDX-License-Identifier: MIT
#include "fault.hpp"

#include <utility>

namespace coracle::test {

namespace {

constinit thread_local fault* planned = nullptr;

} // namespace

fault::fault(std::string_view call, int nth, int error, lasting how_long) noexcept
    : call_(call), left_(nth), error_(error), how_long_(how_long) {
    planned = this;
    if (call == "allocate")
        watch_frames();
}

fault::~fault() {
    planned = nullptr;
    unwatch_frames();
}

int planned_error(std::string_view call) noexcept {
    if (!planned || planned->call_ != call)
        return 0;
    fault& due = *planned;
    if (due.left_ > 0)
        --due.left_;
    if (due.left_ > 0 || (due.struck_ && due.how_long_ == fault::lasting::once))
        return 0;
    due.struck_ = true;
    return due.error_;
}

} // namespace coracle::test
