// SPDX-License-Identifier: MIT
//
// A poster adds its work item and looks whether the loop sleeps under one lock; the loop looks for
// work items and falls asleep under the same. So no wake-up is lost, and the driver cannot end
// while it is being woken.
#include "remote_queue.hpp"

#include "../diagnostics/warning.hpp"
#include "../driver.hpp"

namespace coracle::detail {

remote_queue::~remote_queue() {
    if (!is_of_parent())
        close();
}

bool remote_queue::post(std::unique_ptr<work_item> added) noexcept {
    if (is_of_parent())
        used_after_fork();
    const std::lock_guard guard(lock_);
    if (!sleeper_)
        return false;
    work_item* const newest = added.release();
    *last_ = newest;
    last_ = &newest->next_;
    filled_.store(true, std::memory_order_relaxed);
    if (asleep_.exchange(false, std::memory_order_relaxed))
        sleeper_->wake();
    return true;
}

void remote_queue::wake() noexcept {
    if (is_of_parent())
        return;
    const std::lock_guard guard(lock_);
    if (sleeper_ && asleep_.exchange(false, std::memory_order_relaxed))
        sleeper_->wake();
}

remote_queue::work_item* remote_queue::take_all() noexcept {
    const std::lock_guard guard(lock_);
    work_item* const oldest = std::exchange(first_, nullptr);
    last_ = &first_;
    filled_.store(false, std::memory_order_relaxed);
    return oldest;
}

void remote_queue::run_all() noexcept {
    work_item* oldest = empty() ? nullptr : take_all();
    while (oldest) {
        const std::unique_ptr<work_item> current(oldest);
        oldest = oldest->next_;
        try {
            current->run();
        } catch (...) {
            warn_of_exception("a function posted to a loop threw", std::current_exception());
        }
    }
}

bool remote_queue::fall_asleep() noexcept {
    const std::lock_guard guard(lock_);
    if (first_)
        return false;
    asleep_.store(true, std::memory_order_relaxed);
    return true;
}

void remote_queue::refuse() noexcept {
    const std::lock_guard guard(lock_);
    sleeper_ = nullptr;
}

void remote_queue::list_work_items(std::vector<leak>& to) {
    const std::lock_guard guard(lock_);
    for (const work_item* each = first_; each; each = each->next_)
        to.push_back({"posted function", "never run", each->posted_});
}

void remote_queue::close() noexcept {
    refuse();
    work_item* oldest = take_all();
    while (oldest) {
        const std::unique_ptr<work_item> current(oldest);
        oldest = oldest->next_;
    }
}

} // namespace coracle::detail
