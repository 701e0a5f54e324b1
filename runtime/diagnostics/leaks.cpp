// SPDX-License-Identifier: MIT
#include "leaks.hpp"

#include "describe.hpp"
#include <fmt/format.h>

namespace coracle {

std::string to_string(const leak& held) {
    const std::string which = held.detail.empty() ? "" : " (" + held.detail + ")";
    return fmt::format("still held at the end: {}{}, made in {}", held.kind, which,
                       detail::describe(held.where));
}

namespace detail {

namespace {

constinit thread_local leak_source* first_source = nullptr;

} // namespace

leak_source::leak_source() noexcept : next_(first_source), place_(&first_source) {
    if (next_)
        next_->place_ = &next_;
    first_source = this;
}

leak_source::~leak_source() {
    *place_ = next_;
    if (next_)
        next_->place_ = place_;
}

std::vector<leak> leaks_of_this_thread() {
    std::vector<leak> all;
    for (const leak_source* each = first_source; each; each = each->next_)
        each->list_leaks(all);
    return all;
}

} // namespace detail

} // namespace coracle
