// SPDX-License-Identifier: MIT
#include "holdings.hpp"

namespace coracle::detail {

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

} // namespace coracle::detail
