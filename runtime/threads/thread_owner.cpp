// SPDX-License-Identifier: MIT
#include "thread_owner.hpp"

#include "../../memory/fatal.hpp"
#include <fmt/format.h>

namespace coracle::detail {

void thread_owner::first_use(const char* what) noexcept {
    if (owner_.load(std::memory_order_relaxed))
        used_on_wrong_thread(what);
    if (this_thread.loop)
        owner_.store(&this_thread, std::memory_order_relaxed);
}

void used_on_wrong_thread(const char* what) noexcept {
    fatal(fmt::format("{} was called on another thread than that of the loop that it belongs to: "
                      "post it there by loop_handle::post, or use a remote_event",
                      what));
}

} // namespace coracle::detail
