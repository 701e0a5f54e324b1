// SPDX-License-Identifier: MIT
#include "gauge.hpp"

#include <mutex>

namespace coracle::detail {

namespace {

/// Never destroyed, since static objects may be counted that go later. Not constinit: the mutex of
/// Windows cannot be.
std::mutex& gauges_lock() {
    static std::mutex& lock = *new std::mutex;
    return lock;
}

constinit gauge* first_gauge = nullptr;

} // namespace

gauge::gauge(gauge_kind what) noexcept : what_(what) {
    const std::lock_guard guard(gauges_lock());
    next_ = first_gauge;
    if (next_)
        next_->previous_ = this;
    first_gauge = this;
}

gauge::~gauge() {
    const std::lock_guard guard(gauges_lock());
    (previous_ ? previous_->next_ : first_gauge) = next_;
    if (next_)
        next_->previous_ = previous_;
}

std::size_t sum_of(gauge_kind what) noexcept {
    const std::lock_guard guard(gauges_lock());
    std::size_t sum = 0;
    for (const gauge* each = first_gauge; each; each = each->next_) {
        if (each->what_ == what)
            sum += each->count();
    }
    return sum;
}

void lock_gauges() noexcept {
    gauges_lock().lock();
}

void unlock_gauges() noexcept {
    gauges_lock().unlock();
}

} // namespace coracle::detail
