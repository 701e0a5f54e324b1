// SPDX-License-Identifier: MIT
//
// A poster adds its letter and looks whether the loop sleeps under one lock; the loop looks for
// letters and falls asleep under the same. So no wake-up is lost, and the driver cannot end while
// it is being woken.
#include "remote_queue.hpp"

#include "../driver.hpp"
#include "../diagnostics/warning.hpp"

namespace coracle::detail {

inbox::~inbox() {
    close();
}

bool inbox::post(std::unique_ptr<letter> added) noexcept {
    const std::lock_guard guard(lock_);
    if (!sleeper_)
        return false;
    letter* const newest = added.release();
    *last_ = newest;
    last_ = &newest->next_;
    filled_.store(true, std::memory_order_relaxed);
    if (asleep_.exchange(false, std::memory_order_relaxed))
        sleeper_->wake();
    return true;
}

inbox::letter* inbox::take_all() noexcept {
    const std::lock_guard guard(lock_);
    letter* const oldest = std::exchange(first_, nullptr);
    last_ = &first_;
    filled_.store(false, std::memory_order_relaxed);
    return oldest;
}

void inbox::run_all() noexcept {
    letter* oldest = empty() ? nullptr : take_all();
    while (oldest) {
        const std::unique_ptr<letter> current(oldest);
        oldest = oldest->next_;
        try {
            current->run();
        } catch (...) {
            notice_exception("a function posted to a loop threw", std::current_exception());
        }
    }
}

bool inbox::fall_asleep() noexcept {
    const std::lock_guard guard(lock_);
    if (first_)
        return false;
    asleep_.store(true, std::memory_order_relaxed);
    return true;
}

void inbox::refuse() noexcept {
    const std::lock_guard guard(lock_);
    sleeper_ = nullptr;
}

void inbox::list_letters(std::vector<holding>& to) {
    const std::lock_guard guard(lock_);
    for (const letter* each = first_; each; each = each->next_)
        to.push_back({"posted function", "never run", each->posted_});
}

void inbox::close() noexcept {
    refuse();
    letter* oldest = take_all();
    while (oldest) {
        const std::unique_ptr<letter> current(oldest);
        oldest = oldest->next_;
    }
}

} // namespace coracle::detail
