// SPDX-License-Identifier: MIT
#include "when.hpp"

namespace coracle::detail {

void first_scope::ended(child& gone) noexcept {
    if (!winner_) {
        winner_ = &gone;
        cancel_children();
    } else if (gone.failure() && !is_cancellation(gone.failure())) {
        lost_.add(gone.failure());
    }
}

} // namespace coracle::detail
