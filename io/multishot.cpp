// SPDX-License-Identifier: MIT
#include "multishot.hpp"

#include "../memory/fatal.hpp"
#include "backend.hpp"
#include <system_error>

namespace coracle::detail {

multishot_use::multishot_use(descriptor_ref target, buffer_pool* into)
    : target_(std::move(target)), into_(into) {
    if (!target_ || !target_->open())
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "the socket is closed");
    if (target_->has_multishot_use)
        throw std::system_error(into ? error::read_under_way : error::accept_under_way,
                                "a second multishot");
    target_->has_multishot_use = true;
    if (into_)
        into_->add_user();
}

void multishot_use::end() noexcept {
    const descriptor_ref ended = std::move(target_);
    if (!ended)
        return;
    ended->has_multishot_use = false;
    if (into_)
        into_->remove_user();
    backend* const owner = ended->owner;
    if (!owner)
        return;
    if (owner != backend::current())
        fatal("a multishot ended on another thread than that of the loop that used it");
    if (multishot_source* const source = owner->optional().multishot)
        source->end(*ended);
}

} // namespace coracle::detail
