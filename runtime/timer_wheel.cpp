// SPDX-License-Identifier: MIT
//
// `occupied_` and `levels_used_` make finding the first timer two bit scans: a level below another
// holds only earlier deadlines, so the lowest occupied one is always the next.
#include "timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace coracle {

namespace {

std::uint64_t ticks(time_point moment) noexcept {
    const auto count =
        std::chrono::duration_cast<std::chrono::nanoseconds>(moment.time_since_epoch()).count();
    return count > 0 ? static_cast<std::uint64_t>(count) : 0;
}

} // namespace

void timer_wheel::add(timer& added, time_point deadline) noexcept {
    added.deadline_ = std::max(ticks(deadline), time_);
    added.wheel_ = this;
    ++size_;
    insert(added);
}

void timer_wheel::insert(timer& inserted) noexcept {
    const std::uint64_t differing = inserted.deadline_ ^ time_;
    const unsigned level =
        differing == 0 ? 0 : (63U - static_cast<unsigned>(std::countl_zero(differing))) / bits;
    const unsigned slot = (inserted.deadline_ >> (bits * level)) & (slots - 1);
    timer*& head = wheel_[level][slot];
    inserted.place_ = static_cast<std::uint16_t>(level * slots + slot);
    inserted.previous_ = nullptr;
    inserted.next_ = head;
    if (head)
        head->previous_ = &inserted;
    head = &inserted;
    occupied_[level] |= std::uint64_t{1} << slot;
    levels_used_ = static_cast<std::uint16_t>(levels_used_ | (1U << level));
}

void timer_wheel::remove(timer& removed) noexcept {
    if (removed.next_)
        removed.next_->previous_ = removed.previous_;
    if (removed.previous_) {
        removed.previous_->next_ = removed.next_;
    } else {
        const unsigned level = removed.place_ / slots;
        const unsigned slot = removed.place_ % slots;
        wheel_[level][slot] = removed.next_;
        if (!removed.next_) {
            occupied_[level] &= ~(std::uint64_t{1} << slot);
            if (occupied_[level] == 0)
                levels_used_ = static_cast<std::uint16_t>(levels_used_ & ~(1U << level));
        }
    }
    removed.wheel_ = nullptr;
    --size_;
}

void timer_wheel::advance(time_point now) noexcept {
    const std::uint64_t present = std::max(ticks(now), time_);
    while (levels_used_ != 0) {
        const auto level = static_cast<unsigned>(std::countr_zero(levels_used_));
        const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
        const std::uint64_t start = start_of(level, slot);
        if (start > present)
            break;
        time_ = start;
        open(level, slot);
    }
    time_ = present;
}

time_point timer_wheel::next() const noexcept {
    if (levels_used_ == 0)
        return time_point::max();
    const auto level = static_cast<unsigned>(std::countr_zero(levels_used_));
    const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const auto start = static_cast<std::int64_t>(start_of(level, slot));
    return time_point(
        std::chrono::duration_cast<time_point::duration>(std::chrono::nanoseconds(start)));
}

std::uint64_t timer_wheel::start_of(unsigned level, unsigned slot) const noexcept {
    const unsigned above = bits * (level + 1);
    const std::uint64_t prefix = above >= 64 ? 0 : time_ >> above << above;
    return prefix | std::uint64_t{slot} << (bits * level);
}

/// Expires the timers of a slot of the lowest level, or spreads those of a higher one over the
/// levels below it. One at a time, because an expiry may remove others of the same slot.
void timer_wheel::open(unsigned level, unsigned slot) noexcept {
    while (timer* const first = wheel_[level][slot]) {
        remove(*first);
        if (level == 0) {
            first->expired();
        } else {
            first->wheel_ = this;
            ++size_;
            insert(*first);
        }
    }
}

} // namespace coracle
