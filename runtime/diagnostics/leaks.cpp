// SPDX-License-Identifier: MIT
#include "leaks.hpp"

#include "describe.hpp"
#include <atomic>
#include <fmt/format.h>
#include <mutex>

namespace coracle {

std::string to_string(const leak& held) {
    const std::string which = held.detail.empty() ? "" : " (" + held.detail + ")";
    return fmt::format("still held at the end: {}{}, made in {}", held.kind, which,
                       detail::describe(held.where));
}

namespace detail {

namespace {

/// Never destroyed, since pools that are static objects go later. Not constinit: the mutex of
/// Windows cannot be.
std::mutex& sources_lock() {
    static std::mutex& lock = *new std::mutex;
    return lock;
}

constinit leak_source* first_source = nullptr;

std::uint64_t number_of_this_thread() noexcept {
    static constinit std::atomic<std::uint64_t> threads = 0;
    if (this_thread.number == 0)
        this_thread.number = ++threads;
    return this_thread.number;
}

} // namespace

leak_source::leak_source() noexcept : thread_(number_of_this_thread()) {
    const std::lock_guard guard(sources_lock());
    next_ = first_source;
    if (next_)
        next_->previous_ = this;
    first_source = this;
}

leak_source::~leak_source() {
    const std::lock_guard guard(sources_lock());
    (previous_ ? previous_->next_ : first_source) = next_;
    if (next_)
        next_->previous_ = previous_;
}

std::vector<leak> leaks_of_this_thread() {
    const std::lock_guard guard(sources_lock());
    std::vector<leak> all;
    for (const leak_source* each = first_source; each; each = each->next_) {
        if (each->thread_ == number_of_this_thread())
            each->list_leaks(all);
    }
    return all;
}

void lock_leak_sources() noexcept {
    sources_lock().lock();
}

void unlock_leak_sources() noexcept {
    sources_lock().unlock();
}

} // namespace detail

} // namespace coracle
