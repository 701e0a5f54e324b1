// SPDX-License-Identifier: MIT
#include "leaks.hpp"

#include "describe.hpp"
#include <fmt/format.h>

namespace coracle {

std::string to_string(const holding& held) {
    const std::string which = held.detail.empty() ? "" : " (" + held.detail + ")";
    return fmt::format("still held at the end: {}{}, made in {}", held.kind, which,
                       detail::words_for(held.made));
}

namespace detail {

namespace {

constinit thread_local holder* first_holder = nullptr;

} // namespace

holder::holder() noexcept : next_(first_holder), place_(&first_holder) {
    if (next_)
        next_->place_ = &next_;
    first_holder = this;
}

holder::~holder() {
    *place_ = next_;
    if (next_)
        next_->place_ = place_;
}

std::vector<holding> holdings_of_this_thread() {
    std::vector<holding> all;
    for (const holder* each = first_holder; each; each = each->next_)
        each->list_holdings(all);
    return all;
}

} // namespace detail

} // namespace coracle
