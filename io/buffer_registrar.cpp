// SPDX-License-Identifier: MIT

#include "buffer_registrar.hpp"

#include "../memory/fatal.hpp"
#include "backend.hpp"

namespace coracle {

buffer_registrar* buffer_registrar::current() noexcept {
    backend* const kernel = backend::current();
    return kernel ? kernel->optional().registrar : nullptr;
}

buffer_registrar::~buffer_registrar() {
    if (first_)
        detail::fatal("a buffer_registrar ended before it took everything back");
}

void buffer_registrar::remove_all() noexcept {
    while (first_)
        first_->reset();
}

void buffer_registration::add(buffer_registrar& with, std::span<std::byte> region) {
    const std::optional<std::uint64_t> id = with.add(region);
    if (!id)
        return;
    with_ = &with;
    id_ = *id;
    next_ = with.first_;
    if (next_)
        next_->previous_ = this;
    with.first_ = this;
}

void buffer_registration::reset() noexcept {
    if (!with_)
        return;
    (previous_ ? previous_->next_ : with_->first_) = next_;
    if (next_)
        next_->previous_ = previous_;
    next_ = nullptr;
    previous_ = nullptr;
    with_->remove(id_);
    with_ = nullptr;
}

} // namespace coracle
