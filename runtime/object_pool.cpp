// SPDX-License-Identifier: MIT

#include "object_pool.hpp"

#include "../memory/fatal.hpp"
#include "diagnostics/describe.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

namespace coracle::detail {

object_slots::~object_slots() {
    if (size() != 0)
        name_objects();
}

/// Stops the program with the places where the objects were made.
void object_slots::name_objects() const {
    std::vector<creation_site> sites;
    for (std::uint32_t index = first_; index != none; index = slots_[index].next)
        sites.push_back(slots_[index].where);
    fatal(fmt::format("an object_pool, made in {}, was destroyed with {} objects in it: {}",
                      describe(where_), size(), describe_all(sites, "made")));
}

void object_slots::list_leaks(std::vector<leak>& to) const {
    for (std::uint32_t index = first_; index != none; index = slots_[index].next)
        to.push_back({"object of an object_pool",
                      fmt::format("number {}", slots_[index].generation), slots_[index].where});
}

std::uint32_t object_slots::take() {
    owner_.check("object_pool::make");
    if (size() >= std::min<std::size_t>(max_, none))
        throw std::length_error(fmt::format("an object_pool is full, with {} objects", size()));
    std::uint32_t index = first_free_;
    if (index == none) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        first_free_ = slots_[index].next;
    }
    taken_.add();
    return index;
}

void object_slots::begin(std::uint32_t index, const creation_site& where) noexcept {
    slot& begun = slots_[index];
    begun.generation = ++generations_;
    begun.where = where;
    begun.next = none;
    begun.previous = last_;
    (last_ == none ? first_ : slots_[last_].next) = index;
    last_ = index;
}

void object_slots::end(std::uint32_t index) noexcept {
    owner_.check("the end of an object of an object_pool");
    slot& ended = slots_[index];
    ended.generation = 0;
    (ended.previous == none ? first_ : slots_[ended.previous].next) = ended.next;
    (ended.next == none ? last_ : slots_[ended.next].previous) = ended.previous;
}

void object_slots::put_back(std::uint32_t index) noexcept {
    slots_[index].next = first_free_;
    first_free_ = index;
    taken_.subtract();
}

} // namespace coracle::detail
