// SPDX-License-Identifier: MIT
#include "fault.hpp"

#include <atomic>
#include <thread>
#include <utility>

namespace coracle::test {

namespace {

constinit thread_local fault* planned = nullptr;

// A handler may read these.
std::string_view held_name;
std::atomic<bool> is_held = false;
std::atomic<bool> has_reached = false;

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

held_call::held_call(std::string_view call) noexcept {
    held_name = call;
    has_reached = false;
    is_held = true;
}

held_call::~held_call() {
    release();
}

bool held_call::reached() noexcept {
    return has_reached;
}

void held_call::release() noexcept {
    is_held = false;
}

void wait_if_held(std::string_view call) noexcept {
    while (is_held && held_name == call) {
        has_reached = true;
        std::this_thread::yield();
    }
}

int planned_error(std::string_view call) noexcept {
    if (!planned || planned->call_ != call)
        return 0;
    fault& due = *planned;
    if (due.left_ > 0)
        --due.left_;
    const bool over = (due.struck_ == 1 && due.how_long_ == fault::lasting::once) ||
                      (due.struck_ == 2 && due.how_long_ == fault::lasting::twice);
    if (due.left_ > 0 || over)
        return 0;
    ++due.struck_;
    return due.error_;
}

} // namespace coracle::test
