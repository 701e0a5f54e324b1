// SPDX-License-Identifier: MIT
//
// thread_owner: says so when something that belongs to one loop is used on another thread.
//
// It belongs to the thread whose loop uses it first. Before that it may be prepared anywhere, such
// as an event that `main` makes and sets. What is meant for other threads is remote_event and
// loop_handle.
#pragma once

#include "../thread_state.hpp"
#include <atomic>

namespace coracle::detail {

class thread_owner {
public:
    /// Stops the program with a message about `what`, such as "event::set", on the wrong thread.
    void check(const char* what) noexcept {
        if (owner_.load(std::memory_order_relaxed) != &this_thread) [[unlikely]]
            first_use(what);
    }

private:
    void first_use(const char* what) noexcept;

    std::atomic<const thread_state*> owner_ = nullptr; // atomic, since two threads may misuse it
};

/// The message, for those who know by themselves that the thread is the wrong one.
[[noreturn]] void used_on_wrong_thread(const char* what) noexcept;

} // namespace coracle::detail
